//! `gatewright check`; [`explain`] shows what one route is.

mod explain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::compile_plugin;
use super::output::{MISTAKE, mistake, print, warning};
use crate::process::{StartError, check};

/// Checks a configuration file and everything that it names: plugins are compiled and configured, certificates and
/// keys read. Nothing is listened on.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(default_value = "gatewright.toml")]
    config: PathBuf,
    /// How mistakes are written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Check the file alone, not the plugins, certificates and keys that it names.
    #[arg(long)]
    file_only: bool,
    /// Show a route: its conditions and chain with all settings, where bodies stream and where they are collected, and the
    /// most memory that one request may take.
    #[arg(long, value_name = "ROUTE", conflicts_with = "file_only")]
    explain: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

impl Check {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let result = check(&self.config, self.file_only, &compile_plugin::in_child());
        if let (Some(route), Ok(Some(generation))) = (&self.explain, &result) {
            return match explain::explain(generation, route) {
                Ok(explained) if self.format == Format::Json => {
                    print(format_args!("{:#}\n", explained.json()));
                    ExitCode::SUCCESS
                }
                Ok(explained) => {
                    print(explained);
                    ExitCode::SUCCESS
                }
                Err(unknown) => mistake(format_args!("{}: {unknown}", self.config.display())),
            };
        }
        match (self.format, result) {
            (Format::Human, Ok(generation)) => {
                // It would stop nothing, and nobody would see it but in the log.
                for (name, candidate) in generation.iter().flat_map(|generation| &generation.candidates) {
                    if let Some(reason) = candidate.probation.over() {
                        warning(format_args!("the candidate of plugin `{name}` is {reason}"));
                    }
                }
                print(format_args!("{}: ok\n", self.config.display()));
                ExitCode::SUCCESS
            }
            (Format::Human, Err(error)) => mistake(error),
            (Format::Json, Ok(_)) => {
                print(format_args!(
                    "{:#}\n",
                    json!({ "file": self.config, "ok": true, "errors": [] })
                ));
                ExitCode::SUCCESS
            }
            (Format::Json, Err(error)) => {
                let errors = match &error {
                    StartError::Config(errors) => json!(errors.errors),
                    other => json!([{ "message": other.to_string() }]),
                };
                print(format_args!(
                    "{:#}\n",
                    json!({ "file": self.config, "ok": false, "errors": errors })
                ));
                ExitCode::from(MISTAKE)
            }
        }
    }
}
