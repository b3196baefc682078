//! `gatewright demo`

mod origin;
mod token;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::{failure, print};
use super::progress::Progress;
use super::serving::Serving;
use super::{compile_plugin, run};
use crate::process::{Options, StartError};

const CONFIG: &str = include_str!("../../../../config/examples/demo.toml");
const KEYS: &str = include_str!("../../../../config/examples/demo-keys.toml");

/// Runs the demo: an origin server, and a gateway in front of it.
///
/// The folder gets the demo's configuration, unless it has one already; change it, or replace a plugin, and the gateway
/// takes it over while it runs. The demo's plugins must be in the folder `plugins` in it: `cargo xtask demo` builds
/// them, puts them there, and runs this command.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where configuration and plugins are.
    #[arg(long, default_value = "gatewright-demo")]
    directory: PathBuf,
}

impl Demo {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        run::log_messages("warn,gatewright=info");
        let config = self.directory.join("gateway.toml");
        if let Err(error) = prepare(&self.directory) {
            return failure(format_args!("cannot prepare {}: {error}", self.directory.display()));
        }
        if let Err(error) = origin::start() {
            return failure(format_args!(
                "cannot start the origin server on {}: {error}",
                origin::ADDRESS
            ));
        }
        let options = Options {
            config: config.clone(),
            watch: true,
            compiler: compile_plugin::in_child(Progress::logged()),
        };
        match Serving::start(options) {
            Ok(Some(serving)) => {
                introduce(&config);
                serving.serve()
            }
            Ok(None) => ExitCode::SUCCESS,
            Err(error @ StartError::System(_)) => failure(error),
            Err(error) => super::output::mistake(format_args!(
                "{error}\n\nthe demo's plugins belong into {}; `cargo xtask demo` puts them there",
                self.directory.join("plugins").display()
            )),
        }
    }
}

/// Files that are there already are somebody's work.
fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory.join("plugins"))?;
    for (name, text) in [("gateway.toml", CONFIG), ("demo-keys.toml", KEYS)] {
        let path = directory.join(name);
        if !path.exists() {
            fs::write(path, text)?;
        }
    }
    Ok(())
}

fn introduce(config: &Path) {
    let token = token::sign();
    print(format_args!(
        r#"
Gatewright is serving {config} on http://127.0.0.1:8080. Try:

  # a static answer
  curl -i http://127.0.0.1:8080/

  # an upstream behind an API key and a throttle; without the key, or too often, it is refused
  curl -i http://127.0.0.1:8080/users/42 -H 'x-api-key: demo-key'
  curl -i http://127.0.0.1:8080/users/42

  # an authorizer plugin checks a signed token (this one is good for an hour)
  curl -i http://127.0.0.1:8080/private/users/42 -H 'authorization: Bearer {token}'
  curl -i http://127.0.0.1:8080/private/users/42 -H 'authorization: Bearer forged'

  # a plugin masks fields of a JSON body
  curl -i http://127.0.0.1:8080/masked/users/42

  # a plugin answers by itself
  curl -i 'http://127.0.0.1:8080/quote?quantity=12'

  # what the gateway knows of itself
  curl -s http://127.0.0.1:9901/plugins
  curl -s http://127.0.0.1:9901/metrics

Change {config} or a plugin beside it, and it is loaded at once. Ctrl-C stops.

"#,
        config = config.display(),
    ));
}
