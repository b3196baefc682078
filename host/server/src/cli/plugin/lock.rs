//! `gatewright plugin lock`

use std::process::ExitCode;

use clap::Args;

use crate::cli::compile_plugin;
use crate::cli::config_file::ConfigArgument;
use crate::cli::output::{failure, mistake, print};
use crate::cli::progress::Progress;
use crate::files;
use crate::process::{Locking, lock};

/// Approve the plugins that a configuration uses, as they are: writes the lock file.
///
/// The lock file is beside the configuration and has its name, with the ending `.lock`. A gateway that finds one serves no
/// plugin that is another, or wants more, than it says. Shown is what is different from before; read it, it is what
/// is approved.
#[derive(Debug, Args)]
pub(in crate::cli) struct Lock {
    #[command(flatten)]
    config: ConfigArgument,
    /// Write nothing; end with 1 when the lock file is out of date.
    #[arg(long)]
    check: bool,
    /// Approve this plugin only; may be repeated. What was approved of the others stays.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

impl Lock {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let locking = match lock(
            self.config.path(),
            &self.only,
            &compile_plugin::in_child(Progress::printed()),
        ) {
            Ok(locking) => locking,
            Err(error) => return mistake(error),
        };
        if let Some(unknown) = self.only.iter().find(|name| !locking.lock.plugins.contains_key(*name)) {
            return mistake(format_args!("--only: no route uses a plugin `{unknown}`"));
        }
        print(differences(&locking));
        let file = locking.config.file.display();
        if locking.is_up_to_date() {
            print(format_args!("{file}: up to date\n"));
            return ExitCode::SUCCESS;
        }
        if self.check {
            return failure(format_args!(
                "{file} is out of date; run `gatewright plugin lock {}` to approve what is there",
                self.config.path().display()
            ));
        }
        match write(&locking) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(error),
        }
    }
}

/// Writes the lock file, and says so.
pub(super) fn write(locking: &Locking) -> Result<(), String> {
    let file = &locking.config.file;
    files::replace(file, locking.lock.to_string().as_bytes())
        .map_err(|error| format!("cannot write {}: {}", file.display(), gatewright_config::reason(&error)))?;
    print(format_args!("{}: written\n", file.display()));
    Ok(())
}

/// What is approved, a line for each plugin.
pub(super) fn differences(locking: &Locking) -> String {
    let mut lines = String::new();
    if let Some(unreadable) = &locking.unreadable {
        lines.push_str(&format!("the lock file cannot be read: {unreadable}\n"));
    }
    for (name, change) in &locking.changes {
        lines.push_str(&match &change.before {
            None => format!("{name} {change} is new: it {}\n", change.asks()),
            Some(before) if change.wants_more() => {
                format!("{name} {change} (was {}) newly {}\n", before.version, change.asks())
            }
            Some(before) => format!("{name} {change} (was {}) wants nothing more\n", before.version),
        });
    }
    for name in &locking.unused {
        lines.push_str(&format!("{name} is not used any more\n"));
    }
    lines
}
