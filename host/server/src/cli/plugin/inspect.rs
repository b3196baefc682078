//! `gatewright plugin inspect`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatewright_config::PluginConfig;
use gatewright_wasm::{CompileLimits, Compiler, HostSettings, PluginError, PluginHost, measure};
use serde_json::{Value, json};

use crate::cli::output::{failure, mistake, print};

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
        // A store of its own: what compiling costs is one of the facts.
        let store = std::env::temp_dir().join(format!("gatewright-inspect-{}", std::process::id()));
        let settings = HostSettings {
            store: store.clone(),
            instances: 8,
            file_bytes: self.file_bytes,
            workers: 1,
            compiler: Compiler::InProcess,
            compile: CompileLimits::default(),
        };
        let name = self
            .file
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let facts = async {
            let host = PluginHost::new(settings)?;
            let plugin = host.load(&name, &self.file, &PluginConfig::default()).await?;
            let cost = measure(&plugin, self.rounds.max(1)).await?;
            Ok(json!({ "plugin": plugin.summary(), "new_instance_microseconds": cost.as_secs_f64() * 1e6 }))
        };
        let facts = facts.await;
        let _ = std::fs::remove_dir_all(store);
        facts
    }
}
