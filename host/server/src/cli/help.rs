//! `gatewright completions` and `gatewright man`: what the command line says of itself, for shells and for `man`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::output::{failure, print};

const NAME: &str = "gatewright";

/// Print a script that completes the command line in a shell.
///
/// For bash, for example: `gatewright completions bash > /etc/bash_completion.d/gatewright`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write one for each command.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write the pages of all commands into this folder, `gatewright.1` and `gatewright-check.1` among them.
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
}

impl Completions {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), NAME, &mut script);
        print(String::from_utf8_lossy(&script));
        ExitCode::SUCCESS
    }
}

impl Man {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let result = match &self.directory {
            Some(directory) => clap_mangen::generate_to(Cli::command(), directory),
            None => {
                let mut page = Vec::new();
                let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
                rendered.and_then(|()| std::io::stdout().write_all(&page))
            }
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(format_args!("cannot write the manual: {error}")),
        }
    }
}
