//! The developer's commands: `cargo xtask demo | test | plugins | bench`. What CI runs is what a developer runs.

mod bench;
mod demo;
mod guests;
mod shell;
mod test;

use clap::{Parser, Subcommand};

/// The developer's commands of Gatewright.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the plugins, start an origin server and the gateway, and say what to try.
    Demo,
    /// Install what the tests need, and run all of them: format, lints, tests, documentation, dependencies.
    Test(test::Test),
    /// Build the teaching plugins into `target/plugins`.
    Plugins,
    /// Run the micro benchmarks.
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Demo => demo::run(),
        Command::Test(test) => test.run(),
        Command::Plugins => guests::build_plugins(&shell::root().join("target/plugins")),
        Command::Bench(bench) => bench.run(),
    }
}
