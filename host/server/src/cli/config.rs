//! `gatewright config`

use std::process::ExitCode;

use clap::Args;

use super::config_file::ConfigArgument;
use super::output::{mistake, print};

/// Print the configuration that results from all files and from the environment, without secrets.
///
/// Every section says which file and line it is from. References to the environment are replaced by what they stand for;
/// those whose names say that they are secret are not, and secrets that are written in the files are hidden.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Config {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match gatewright_config::shown(self.config.path()) {
            Ok(shown) => {
                print(shown);
                ExitCode::SUCCESS
            }
            Err(errors) => mistake(errors),
        }
    }
}
