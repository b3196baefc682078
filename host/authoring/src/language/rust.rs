//! Rust: Cargo compiles it, with the SDK, to a core module or to a component.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Toolchain;
use crate::Error;
use crate::building::{Job, Made};
use crate::tool::{Tool, program, shown};

pub(super) struct Rust;

/// What a plugin in Rust is compiled for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RustTarget {
    /// `wasm32-unknown-unknown`: a core module that imports only what it uses.
    #[default]
    Unknown,
    /// `wasm32-wasip2`: a component, larger, for libraries that want WASI.
    Wasip2,
}

impl RustTarget {
    /// As Cargo calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "wasm32-unknown-unknown",
            Self::Wasip2 => "wasm32-wasip2",
        }
    }
}

const CARGO: Tool = Tool {
    title: "cargo",
    programs: &["cargo"],
    // A compiler is not for a plugin's build to install; this says how.
    install: |_| {
        let mut rustup = Command::new("rustup");
        rustup.args(["toolchain", "install", "stable"]);
        vec![rustup]
    },
};

impl Toolchain for Rust {
    fn marks(&self) -> &'static [&'static str] {
        &["Cargo.toml"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("wit", "gatewright/wit/"),
            ("sdk/src", "gatewright/sdk/src/"),
            ("sdk/Cargo.toml", "gatewright/sdk/Cargo.toml"),
            ("sdk/README.md", "gatewright/sdk/README.md"),
        ]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        let target = job.build.rust_target.name();
        let mut cargo = Command::new(job.tool(&CARGO)?);
        // In the folder itself: Cargo reads the settings of the folder that it runs in.
        cargo.current_dir(&job.folder).stderr(Stdio::inherit());
        cargo.args(["build", "--release", "--target", target]);
        if let Some(directory) = &job.build.target_dir {
            let directory = std::path::absolute(directory).map_err(Error::file("find", directory))?;
            cargo.arg("--target-dir").arg(directory);
        }
        eprintln!("$ {}", shown(&cargo));
        let output = cargo.args(["--message-format", "json-render-diagnostics"]).output();
        let output = output.map_err(|error| Error::Run {
            command: program(&cargo),
            reason: crate::error::reason(&error),
        })?;
        if !output.status.success() {
            return Err(Error::Failed {
                command: program(&cargo),
                status: output.status.to_string(),
                hint: match has_target(job, target) {
                    Some(false) => format!("; the target is not installed: run `rustup target add {target}`"),
                    _ => String::new(),
                },
            });
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        let file = messages.filter_map(|line| wasm_of(&line)).next_back();
        let file = file.ok_or_else(|| {
            Error::NoResult(
                "cargo made no .wasm file; a plugin's Cargo.toml says:\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]"
                    .to_owned(),
            )
        })?;
        let name = file.file_stem().map(|name| name.to_string_lossy().replace('_', "-"));
        Ok(Made { file, name })
    }
}

/// Whether the compiler that the plugin's folder gets has the standard library of a target; none when it cannot be asked.
fn has_target(job: &Job<'_>, target: &str) -> Option<bool> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(&job.folder)
        .args(["--print", "target-libdir", "--target", target]);
    let output = rustc
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let library = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(PathBuf::from(library.trim()).is_dir())
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
