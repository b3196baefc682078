//! `gatewright compile-plugin`: not for people. The gateway starts itself with it for each plugin that it compiles.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use gatewright_wasm::{CompileWatcher, Compiler, Compiling, compile_for_parent};

const NAME: &str = "compile-plugin";
/// The program that runs, also when its file has been replaced or removed.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Keeps mimalloc from allocating a gigabyte in advance, which would count as memory that the compiler takes.
const ALLOCATE_AS_NEEDED: &str = "MIMALLOC_ARENA_EAGER_COMMIT";

/// Compiles a plugin: bytes from standard input, code to standard output.
#[derive(Debug, Args)]
pub(super) struct CompilePlugin {}

impl CompilePlugin {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        compile_for_parent()
    }
}

/// A compiler that is a child process with this command. `watcher` is told what it compiles.
pub(super) fn in_child(watcher: Arc<dyn CompileWatcher>) -> Compiling {
    Compiling {
        compiler: Compiler::Child {
            program: THIS_PROGRAM.into(),
            arguments: vec![NAME.into()],
            environment: vec![(ALLOCATE_AS_NEEDED.into(), "0".into())],
        },
        watcher: Some(watcher),
    }
}
