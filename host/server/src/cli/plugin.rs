//! `gatewright plugin`: one file a subcommand.

mod bench;
mod build;
mod files;
mod inspect;
mod test;
mod trial;

use std::process::ExitCode;

use clap::Subcommand;

/// Builds plugins, tests and measures them, and looks into them.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Build a plugin written in Rust, and put its `.wasm` into a folder.
    Build(build::Build),
    /// Show what a plugin is: kinds, needs, services, configuration schema, and what a call costs.
    Inspect(inspect::Inspect),
    Bench(bench::Bench),
    Test(test::Test),
}

impl Plugin {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match self {
            Self::Build(build) => build.execute(),
            Self::Inspect(inspect) => inspect.execute(),
            Self::Bench(bench) => bench.execute(),
            Self::Test(test) => test.execute(),
        }
    }
}
