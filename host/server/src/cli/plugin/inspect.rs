//! `gatewright plugin inspect`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatewright_config::PluginConfig;
use gatewright_wasm::{CodeStore, PluginError, measure};
use serde_json::{Value, json};

use crate::cli::output::{failure, mistake, print};
use crate::cli::progress::Progress;
use crate::trial::Trial;

/// Shows what a plugin is: kinds, version, needs, services, configuration schema, sizes, how long it takes to compile,
/// and what a new instance costs.
#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The plugin's `.wasm` file.
    file: PathBuf,
    /// New instances made to find out what one costs.
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    /// The largest file that is read, in bytes.
    #[arg(long, default_value_t = 64 << 20)]
    file_bytes: u64,
}

impl Inspect {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failure(error),
        };
        match runtime.block_on(self.inspect()) {
            Ok(facts) => {
                print(format_args!("{facts:#}\n"));
                ExitCode::SUCCESS
            }
            Err(error) => mistake(error),
        }
    }

    async fn inspect(&self) -> Result<Value, PluginError> {
        // What compiling costs is one of the facts, so nothing that is kept is used.
        let trial = Trial::new(CodeStore::default(), self.file_bytes, Progress::printed())?;
        let plugin = trial.load(&self.file, &PluginConfig::default()).await?;
        let cost = measure(&plugin, self.rounds.max(1)).await?;
        Ok(json!({ "plugin": plugin.summary(), "new_instance_microseconds": cost.as_secs_f64() * 1e6 }))
    }
}
