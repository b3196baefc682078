//! The developer's commands: `cargo xtask demo | test | release | plugins | bench | freeze`. What CI runs is what a developer runs.

mod bench;
mod demo;
mod freeze;
mod guests;
mod languages;
mod release;
mod servers;
mod shell;
mod suites;
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
    /// Build the program that is handed out, `target/dist/gatewright`: laid out for what gateways do most. Takes half an hour or more.
    Release,
    /// Build the teaching plugins, in every language, into `target/plugins`.
    Plugins,
    /// Run the micro benchmarks, or compare the languages.
    Bench(bench::Bench),
    /// Keep the plugin interface as it is now, with a component for it in each language, for the tests of compatibility.
    Freeze(freeze::Freeze),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Demo => demo::run(),
        Command::Test(test) => test.run(),
        Command::Release => release::run(),
        Command::Plugins => build_plugins(),
        Command::Bench(bench) => bench.run(),
        Command::Freeze(freeze) => freeze.run(),
    }
}

fn build_plugins() -> anyhow::Result<()> {
    guests::build_plugins(&shell::root().join("target/plugins"))?;
    shell::run("gateway", &mut shell::cargo(&["build", "--package", "gatewright"]))?;
    languages::build_plugins()
}
