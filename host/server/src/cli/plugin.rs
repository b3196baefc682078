//! `gatewright plugin`

use std::process::ExitCode;

use clap::Subcommand;

/// Builds plugins and looks into them.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {}

impl Plugin {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match self {}
    }
}
