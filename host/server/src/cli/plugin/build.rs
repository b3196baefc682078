//! `gatewright plugin build`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatewright_authoring::{Language, RustTarget};

use super::refused;
use crate::cli::output::print;

/// Builds a plugin, and puts its `.wasm` into a folder.
///
/// What is in the plugin's folder says which language it is: Cargo.toml (Rust), package.json (JavaScript; with
/// tsconfig.json TypeScript), app.py (Python), go.mod (Go), plugin.c (C). The language's own tool is run, from `.venv` or
/// `node_modules` of the folder or of one above it, or from the PATH; what it says is shown.
///
/// The file is named after the plugin: its package in `wit/world.wit` (`package plugin:NAME;`) or, in Rust, in Cargo.toml; a folder
/// that says neither lends its own name. Drop it into the gateway's plugin folder, or name
/// that folder with `--output`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The plugin's folder.
    directory: PathBuf,
    /// Where the file goes; by default into the plugin's folder.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Install missing tools into the plugin's folder first, with pip or npm. The commands are shown.
    #[arg(long)]
    install: bool,
    /// What it is written in, where the folder leaves that open: c, go, javascript, python, rust or typescript.
    #[arg(long, short, value_parser = super::new::language)]
    language: Option<Language>,
    /// Rust only: where Cargo keeps what it compiles; by default `target` in the plugin's folder.
    #[arg(long)]
    target_dir: Option<PathBuf>,
    /// Rust only: build for `wasm32-wasip2`, for libraries that want WASI, and not for `wasm32-unknown-unknown`.
    #[arg(long)]
    wasip2: bool,
}

impl Build {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        let build = gatewright_authoring::Build {
            folder: self.directory,
            output: self.output,
            language: self.language,
            target_dir: self.target_dir,
            rust_target: if self.wasip2 {
                RustTarget::Wasip2
            } else {
                RustTarget::Unknown
            },
            install: self.install,
        };
        match build.run() {
            Ok(file) => {
                print(format_args!("{}\n", file.display()));
                ExitCode::SUCCESS
            }
            Err(error) => refused(&error),
        }
    }
}
