//! `gatewright plugin rollback`

use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use gatewright_config::{GatewayConfig, LockUse};

use super::lock::{differences, write};
use crate::assemble::plugin_file;
use crate::cli::compile_plugin;
use crate::cli::config_file::ConfigArgument;
use crate::cli::output::{mistake, print};
use crate::cli::progress::Progress;
use crate::process::lock;
use crate::versions::{Versions, hexadecimal};

/// Put the version of a plugin back that served before the one that is there.
///
/// The gateway keeps the files of the last five versions of each plugin that have served, with their signatures and tests.
/// Its lock file, where there is one, approves the version again. A gateway that runs loads it by itself. The
/// version that is replaced is the one to go back to from there.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The plugin.
    name: String,
    #[command(flatten)]
    config: ConfigArgument,
    /// Not the version before, but the one whose SHA-256 begins with this.
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
    /// Show the versions that are kept and when each began to serve, the newest first, and change nothing.
    #[arg(long)]
    list: bool,
}

impl Rollback {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        match self.roll_back() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => mistake(error),
        }
    }

    fn roll_back(&self) -> Result<(), String> {
        let config = gatewright_config::load(self.config.path()).map_err(|errors| errors.to_string())?;
        let known =
            config.plugin.contains_key(&self.name) || crate::assemble::used_plugins(&config).contains(&*self.name);
        let file = plugin_file(&config, &self.name).filter(|_| known);
        let file = file.ok_or_else(|| format!("{} uses no plugin `{}`", self.config.path().display(), self.name))?;
        let versions = Versions::of(&config.plugins.versions, &self.name);
        let history = versions.history().map_err(|error| {
            format!(
                "cannot read what is kept in {}: {}",
                config.plugins.versions.display(),
                gatewright_config::reason(&error)
            )
        })?;
        let current = std::fs::read(&file)
            .map(|bytes| hexadecimal(&bytes))
            .unwrap_or_default();
        if self.list {
            for digest in history.iter().rev() {
                let mark = if *digest == current { " (in place)" } else { "" };
                let since = versions.kept_since(digest).map(since).unwrap_or_default();
                print(format_args!("{digest}{since}{mark}\n"));
            }
            return Ok(());
        }
        let digest = self.choose(&history, &current)?;
        versions.restore(digest, &file).map_err(|error| {
            format!(
                "cannot put the version {digest} in place: {}",
                gatewright_config::reason(&error)
            )
        })?;
        print(format_args!("{}: {digest}\n", file.display()));
        self.approve(&config)
    }

    fn choose<'h>(&self, history: &'h [String], current: &str) -> Result<&'h str, String> {
        let chosen = match &self.to {
            Some(start) => {
                let mut fitting = history.iter().filter(|digest| digest.starts_with(start.as_str()));
                match (fitting.next(), fitting.next()) {
                    (Some(_), Some(_)) => return Err(format!("several versions begin with `{start}`; see --list")),
                    (None, _) => return Err(self.unknown(start, history)),
                    (chosen, _) => chosen,
                }
            }
            // The one before the one in place; when that has never served, the last one that has.
            None => {
                let place = history.iter().position(|digest| digest == current);
                place
                    .unwrap_or(history.len())
                    .checked_sub(1)
                    .and_then(|index| history.get(index))
            }
        };
        chosen.map(String::as_str).ok_or_else(|| {
            format!(
                "no other version of `{}` is kept; one that has served is kept once another serves",
                self.name
            )
        })
    }

    /// No version that is kept begins so.
    fn unknown(&self, start: &str, history: &[String]) -> String {
        let name = &self.name;
        let start: String = start.chars().take(64).flat_map(char::escape_default).collect();
        match history.len() {
            0 => format!("no version of `{name}` is kept; one that has served is kept once another serves"),
            kept => format!(
                "none of the {kept} versions of `{name}` that are kept begins with `{start}`; `--list` shows them"
            ),
        }
    }

    /// Whoever goes back to a version approves it.
    fn approve(&self, config: &GatewayConfig) -> Result<(), String> {
        let lock_config = &config.plugins.lock;
        if lock_config.when == LockUse::Off || !lock_config.file.exists() {
            return Ok(());
        }
        let only = [self.name.clone()];
        let locking = lock(
            self.config.path(),
            &only,
            &compile_plugin::in_child(Progress::printed()),
        )
        .map_err(|error| error.to_string())?;
        print(differences(&locking));
        if locking.is_up_to_date() {
            return Ok(());
        }
        write(&locking)
    }
}

/// When a version began to serve, to the second.
fn since(time: SystemTime) -> String {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::new(seconds, 0).ok());
    time.map(|time| format!("  serving since {time}")).unwrap_or_default()
}
