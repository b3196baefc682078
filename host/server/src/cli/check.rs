//! `gatewright check`; [`explain`] shows what one route is.

mod explain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::compile_plugin;
use super::output::{MISTAKE, mistake, note, print, warning};
use super::progress::Progress;
use crate::process::{StartError, Thoroughness, check};

/// Checks a configuration file and everything that it names: plugins are compiled and configured, certificates and
/// keys read. Nothing is listened on, nothing is written, and nobody is asked for anything.
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
    /// Let plugins send requests and use what gateways share while they check their configuration, as they do when a gateway
    /// starts.
    #[arg(long, conflicts_with = "file_only")]
    online: bool,
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
        let thoroughness = Thoroughness {
            file_only: self.file_only,
            online: self.online,
        };
        let result = check(
            &self.config,
            thoroughness,
            &compile_plugin::in_child(Progress::printed()),
        );
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
                for (name, upstream) in generation.iter().flat_map(|generation| &generation.config.upstreams) {
                    if upstream.accepts_any_certificate {
                        warning(format_args!(
                            "upstream `{name}`: certificates are not verified (`dangerous_accept_any_certificate`)"
                        ));
                    }
                }
                print(format_args!("{}: ok\n", self.config.display()));
                ExitCode::SUCCESS
            }
            (Format::Human, Err(error)) => {
                if !self.online && error.is_refused_configuration() {
                    note("plugins could send no requests; with `--online` they can, as when a gateway starts");
                }
                mistake(error)
            }
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
