//! `gatewright replay`: a call of a plugin that a gateway has written down, once more; and as a case for `plugin test`.
//! What is run is the case, so that the case does what the replay did.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatewright_config::cases::{CaseFailure, parse_cases};
use gatewright_wasm::Recording;

use super::files::{FILE_BYTES, code_store};
use crate::cli::output::{failure, mistake, print};
use crate::cli::progress::Progress;
use crate::cli::run::log_messages;
use crate::trial::Trial;
use crate::trial::compare::{Difference, compare};
use crate::trial::observe::{Observed, observe};
use crate::trial::recorded::{case_text, gaps, misses_query, name, then};
use crate::trial::script::Script;

/// The shape of files that is understood.
const FORMAT: u32 = 2;

/// Run a call of a plugin again that a gateway has written down (`[plugin.NAME.record]`).
///
/// The plugin runs in the host that a gateway has, with the limits that it had, and services answer it what they answered
/// then. What was redacted is redacted here too. Ends with 0 when the call goes as it did then, and with 1 when it does not.
#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// The file of the call.
    recording: PathBuf,
    /// The plugin's `.wasm` file. Default: the one that was called then.
    #[arg(long)]
    plugin: Option<PathBuf>,
    /// Write the call as a case for `gatewright plugin test` into this file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// Multiplies the plugin's limits of time, for machines that are slower.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    patience: u32,
    /// Which messages are written to standard error, as of `gatewright run`.
    #[arg(long, default_value = "error,gatewright::plugin=info")]
    log: String,
}

impl Replay {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        log_messages(&self.log);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failure(error),
        };
        match runtime.block_on(self.replay()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => mistake(error),
        }
    }

    /// Whether the call ended as it did then.
    async fn replay(&self) -> Result<bool, String> {
        let recording = read(&self.recording)?;
        let text = case_text(&recording)?;
        let cases = parse_cases(&text, &self.recording).map_err(|error| error.to_string())?;
        let wasm = self.plugin.as_deref().unwrap_or(&recording.file);
        let mut limits = cases.plugin;
        limits.time = limits.time.saturating_mul(self.patience);
        limits.cpu = limits.cpu.saturating_mul(self.patience);
        let text_of = |error: gatewright_wasm::PluginError| error.to_string();
        let trial = Trial::new(code_store(), FILE_BYTES, Progress::printed()).map_err(text_of)?;
        let case = cases.cases.first().ok_or("there is no call in the file")?;
        let script = Script::new(&recording.plugin, &limits, case, false).await?;
        let loading = trial.load_with(&recording.plugin, wasm, &script);
        let plugin = loading.await.map_err(text_of)?;
        if plugin.summary().digest != recording.digest {
            print(format_args!(
                "note: {} is not the file that was called then: version {} now, {} then\n",
                wasm.display(),
                plugin.summary().version,
                recording.version
            ));
        }
        let observed = observe(&trial, &plugin, case).await;
        let differences = compare(&case.expect, &observed, &script).await;
        let misses_query = misses_query(&recording, plugin.summary());
        print(lines(&recording, &observed, &differences, misses_query));
        print(gaps(&recording));
        if let Some(file) = &self.case {
            write(file, &text)?;
            print(format_args!("written as a case: {}\n", file.display()));
        }
        Ok(differences.is_empty())
    }
}

fn read(file: &Path) -> Result<Recording, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {}", file.display(), gatewright_config::reason(&error)))?;
    let recording: Recording = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let reason = match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => "it is not JSON".to_owned(),
        };
        let reason = reason.split(" at line ").next().unwrap_or_default();
        format!("{}:{line}:{column}: it is no recorded call: {reason}", file.display())
    })?;
    match recording.format {
        FORMAT => Ok(recording),
        other => Err(format!(
            "{} has format {other}, and this gatewright reads format {FORMAT}",
            file.display()
        )),
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write {}: {}", file.display(), gatewright_config::reason(&error)))
}

fn lines(recording: &Recording, observed: &Observed, differences: &[Difference], misses_query: bool) -> String {
    let said = |message: Option<&str>| message.map(|message| format!(": {message}")).unwrap_or_default();
    let now = observed.failure.as_ref().map(|broken| broken.message.as_str());
    let found = differences.iter().map(finding);
    let verdict = match differences.is_empty() {
        true => "reproduced",
        false if misses_query => {
            "not reproduced; the plugin reads the query, of which the recording does not have everything: the call may differ \
             for that reason"
        }
        false if !recording.config_redacted.is_empty() => {
            "not reproduced; secrets of the configuration are not in the recording: the call may differ for that reason"
        }
        false => "not reproduced",
    };
    format!(
        "{} of {} {} on route {}\n  then: {} after {} µs{}\n  now:  {} after {} µs{}\n{}{verdict}\n",
        recording.hook,
        recording.plugin,
        recording.version,
        recording.route,
        name(then(recording)),
        recording.wall_us,
        said(recording.failure.as_deref()),
        name(ended(observed)),
        observed.time.as_micros(),
        said(now),
        found.collect::<String>(),
    )
}

fn finding(Difference { what, expected, got }: &Difference) -> String {
    match what.as_str() {
        "services.calls" => format!("the plugin asked: {got}\n  where the recording has: {expected}\n"),
        what => format!("{what}\n  then: {expected}\n  now:  {got}\n"),
    }
}

fn ended(observed: &Observed) -> Option<CaseFailure> {
    // What has no kind is a failure of the replay, and never the one that was recorded.
    let broken = observed.failure.as_ref();
    broken.map(|broken| broken.kind.unwrap_or(CaseFailure::Config))
}
