//! `gatewright plugin`: one file a subcommand.

mod bench;
mod build;
mod files;
mod inspect;
mod keygen;
mod lock;
mod new;
mod replay;
mod rollback;
mod sign;
mod test;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;
use gatewright_authoring::Error;

pub(super) use self::replay::Replay;
use crate::cli::output::{failure, mistake};

/// Starts plugins, builds them, tests and measures them, looks into them, signs and approves them.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Start a plugin: a folder with sources, a test, and a gateway to try it in.
    New(new::New),
    /// Build a plugin in any of the languages, and put its `.wasm` into a folder.
    Build(build::Build),
    /// Show what a plugin is: kinds, needs, services, configuration schema, and what a call costs.
    Inspect(inspect::Inspect),
    Bench(bench::Bench),
    Test(test::Test),
    Keygen(keygen::Keygen),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Lock(lock::Lock),
    Rollback(rollback::Rollback),
}

impl Plugin {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        match self {
            Self::New(new) => new.execute(),
            Self::Build(build) => build.execute(),
            Self::Inspect(inspect) => inspect.execute(),
            Self::Bench(bench) => bench.execute(),
            Self::Test(test) => test.execute(),
            Self::Keygen(keygen) => keygen.execute(),
            Self::Sign(sign) => sign.execute(),
            Self::Verify(verify) => verify.execute(),
            Self::Lock(lock) => lock.execute(),
            Self::Rollback(rollback) => rollback.execute(),
        }
    }
}

/// Says why not, with the exit code of a mistake where what was given is wrong.
fn refused(error: &Error) -> ExitCode {
    if error.is_mistake() {
        mistake(error)
    } else {
        failure(error)
    }
}
