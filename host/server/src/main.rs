//! The `gatewright` command.

use std::process::ExitCode;

use clap::Parser as _;
use gatewright::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
