//! `gatewright plugin build`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use serde_json::Value;

use crate::cli::output::{failure, mistake, print};

/// The target of plugins: no system interface, so nothing to be granted.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds a plugin written in Rust, and puts its `.wasm` into a folder.
///
/// Runs `cargo build --release --target wasm32-unknown-unknown` in the plugin's folder. The file is named after the
/// package; drop it into the gateway's plugin folder, or name that folder with `--output`. The gateway turns it into a
/// component when it loads it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The plugin's folder, with its Cargo.toml.
    directory: PathBuf,
    /// Where the file goes; by default into the plugin's folder.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Where Cargo keeps what it compiles; by default `target` in the plugin's folder.
    #[arg(long)]
    target_dir: Option<PathBuf>,
}

impl Build {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        if !self.directory.join("Cargo.toml").is_file() {
            return mistake(format_args!(
                "{} has no Cargo.toml; name the folder of a plugin",
                self.directory.display()
            ));
        }
        let artifact = match self.compile() {
            Ok(Some(artifact)) => artifact,
            Ok(None) => {
                return mistake(format_args!(
                    "cargo made no .wasm file; a plugin's Cargo.toml says:\n[lib]\ncrate-type = [\"cdylib\"]"
                ));
            }
            Err(error) => return failure(error),
        };
        match self.install(&artifact) {
            Ok(file) => {
                print(format_args!("{}\n", file.display()));
                ExitCode::SUCCESS
            }
            Err(error) => failure(format_args!("cannot copy {}: {error}", artifact.display())),
        }
    }

    /// The file that Cargo made. Its messages for people go to standard error as ever.
    fn compile(&self) -> Result<Option<PathBuf>, String> {
        let mut cargo = Command::new("cargo");
        // In the folder itself: Cargo reads the settings of the folder that it runs in.
        cargo.current_dir(&self.directory).stderr(Stdio::inherit());
        cargo.args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ]);
        if let Some(directory) = &self.target_dir {
            let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
            cargo.arg("--target-dir").arg(directory);
        }
        let output = cargo
            .output()
            .map_err(|error| format!("cannot run cargo: {error}; is Rust installed?"))?;
        if !output.status.success() {
            return Err(format!(
                "cargo failed; is the target there? `rustup target add {TARGET}`"
            ));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        Ok(messages
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter_map(|line| wasm_of(&line))
            .next_back())
    }

    fn install(&self, artifact: &Path) -> io::Result<PathBuf> {
        let name = artifact
            .file_name()
            .map(|name| name.to_string_lossy().replace('_', "-"))
            .unwrap_or_default();
        let folder = self.output.as_deref().unwrap_or(&self.directory);
        fs::create_dir_all(folder)?;
        let file = folder.join(&name);
        // Written aside and renamed, so that a gateway that watches the folder never sees half of it.
        let aside = folder.join(format!(".{name}.new"));
        fs::copy(artifact, &aside)?;
        fs::rename(&aside, &file)?;
        Ok(file)
    }
}

/// The `.wasm` file that a message of Cargo's reports.
fn wasm_of(message: &Value) -> Option<PathBuf> {
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    files
        .iter()
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .find(|file| file.extension().is_some_and(|end| end == "wasm"))
}
