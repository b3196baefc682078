//! `gatewright check`; [`explain`] shows what one route is.

mod explain;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use gatewright_config::ConfigError;
use serde_json::json;

use super::compile_plugin;
use super::config_file::ConfigArgument;
use super::output::{MISTAKE, mistake, note, print, warning};
use super::progress::Progress;
use crate::assemble::Generation;
use crate::process::{Checked, StartError, Thoroughness, check};

/// Checks a configuration file and everything that it names: plugins are compiled and configured, certificates and
/// keys read. Nothing is listened on, nothing is written, and nobody is asked for anything.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArgument,
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
    /// End with the exit code of a mistake when there are warnings.
    #[arg(long)]
    deny_warnings: bool,
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
        let path = self.config.path();
        let thoroughness = Thoroughness {
            file_only: self.file_only,
            online: self.online,
        };
        let mut result = check(path, thoroughness, &compile_plugin::in_child(Progress::printed()));
        if let Ok(checked) = &mut result {
            checked.warnings.extend(rolled_back(path, checked.generation.as_ref()));
        }
        match (&self.explain, result) {
            (Some(route), Ok(checked)) => self.explained(&checked, route),
            (_, Ok(checked)) => self.good(&checked),
            (_, Err(error)) => self.refused(error),
        }
    }

    fn explained(&self, checked: &Checked, route: &str) -> ExitCode {
        let Some(generation) = &checked.generation else {
            return self.good(checked);
        };
        let hidden = &generation.config.hidden;
        match explain::explain(generation, route) {
            Ok(explained) if self.format == Format::Json => {
                print(format_args!("{}\n", hidden.hide(&format!("{:#}", explained.json()))));
                ExitCode::SUCCESS
            }
            Ok(explained) => {
                print(hidden.hide(&explained.to_string()));
                ExitCode::SUCCESS
            }
            Err(unknown) => mistake(format_args!("{}: {unknown}", self.config.path().display())),
        }
    }

    fn good(&self, checked: &Checked) -> ExitCode {
        let (file, warnings) = (self.config.path(), &checked.warnings);
        let denied = self.deny_warnings && !warnings.is_empty();
        match self.format {
            Format::Human => {
                warnings.iter().for_each(warning);
                match denied {
                    true => return mistake(format_args!("{}: there are warnings", file.display())),
                    false => print(format_args!("{}: ok\n", file.display())),
                }
            }
            Format::Json => {
                let answer = json!({ "file": file, "ok": !denied, "errors": [], "warnings": warnings });
                print(format_args!("{answer:#}\n"));
            }
        }
        match denied {
            true => ExitCode::from(MISTAKE),
            false => ExitCode::SUCCESS,
        }
    }

    fn refused(&self, error: StartError) -> ExitCode {
        if self.format == Format::Human {
            if !self.online && error.is_refused_configuration() {
                note("plugins could send no requests; with `--online` they can, as when a gateway starts");
            }
            return mistake(error);
        }
        let errors = match &error {
            StartError::Config(errors) => json!(errors.errors),
            other => json!([{ "message": other.to_string() }]),
        };
        let answer = json!({ "file": self.config.path(), "ok": false, "errors": errors, "warnings": [] });
        print(format_args!("{answer:#}\n"));
        ExitCode::from(MISTAKE)
    }
}

/// Candidates that are out of the trial: that would stop nothing, and nobody would see it but in the log.
fn rolled_back(file: &Path, generation: Option<&Generation>) -> Vec<ConfigError> {
    let candidates = generation.iter().flat_map(|generation| &generation.candidates);
    let over = candidates.filter_map(|(name, candidate)| Some((name, candidate.probation.over()?)));
    let warning = |(name, reason)| {
        let message = format!("the candidate of plugin `{name}` is {reason}");
        let key = format!("plugin.{name}.candidate");
        ConfigError {
            key,
            ..ConfigError::of_file(file, message)
        }
    };
    over.map(warning).collect()
}
