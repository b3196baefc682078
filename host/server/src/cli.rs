//! The command line: one file a subcommand. Exit codes: 0 for done, 2 for a mistake in what was given, 1 for anything
//! else.

mod admin_client;
mod cache;
mod check;
mod compile_plugin;
mod config;
mod config_file;
mod demo;
mod explain;
mod help;
mod key;
mod keys;
mod output;
mod password;
mod plugin;
mod progress;
mod run;
mod schema;
mod serving;
mod signals;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Version, and the commit that it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("GATEWRIGHT_COMMIT"), ")");

/// Gatewright, a programmable API gateway: one binary, one TOML file, sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(
    name = "gatewright",
    version = VERSION,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve what a configuration file says, until a signal ends it.
    Run(run::Run),
    /// Check a configuration file and everything that it names, without serving.
    Check(check::Check),
    Config(config::Config),
    /// Explain what becomes of a request.
    Explain(explain::Explain),
    /// Purge what a gateway that runs has in its cache.
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Print the JSON Schema of the configuration file, for editors.
    Schema(schema::Schema),
    /// Run the demo: an origin server, and a gateway in front of it.
    Demo(demo::Demo),
    /// Make an API key: prints the key once, and the entry for the file of keys.
    Key(key::Key),
    /// Make a password for the stage `basic`: prints it once, and the line for the file of users.
    Password(password::Password),
    #[command(subcommand)]
    Keys(keys::Keys),
    Usage(usage::Usage),
    Replay(plugin::Replay),
    /// Build plugins, test and measure them, look into them, sign and approve them.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    Completions(help::Completions),
    Man(help::Man),
    /// Compile a plugin for a gateway that has started this.
    #[command(hide = true)]
    CompilePlugin(compile_plugin::CompilePlugin),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Check(check) => check.execute(),
            Command::Config(config) => config.execute(),
            Command::Explain(explain) => explain.execute(),
            Command::Cache(cache) => cache.execute(),
            Command::Schema(schema) => schema.execute(),
            Command::Demo(demo) => demo.execute(),
            Command::Key(key) => key.execute(),
            Command::Password(password) => password.execute(),
            Command::Keys(keys) => keys.execute(),
            Command::Usage(usage) => usage.execute(),
            Command::Replay(replay) => replay.execute(),
            Command::Plugin(plugin) => plugin.execute(),
            Command::Completions(completions) => completions.execute(),
            Command::Man(man) => man.execute(),
            Command::CompilePlugin(compile) => compile.execute(),
        }
    }
}

/// A JSON string is a TOML string too.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
