//! `gatewright schema`

use std::process::ExitCode;

use clap::Args;

use super::output::print;

/// Prints the JSON Schema of the configuration file.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        print(format_args!("{:#}\n", gatewright_config::schema()));
        ExitCode::SUCCESS
    }
}
