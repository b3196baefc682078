//! `gatewright plugin test`: a plugin in the real host, against cases. What is run, and what is printed; how is in `trial`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use gatewright_config::cases::PluginCase;
use gatewright_wasm::CodeStore;
use serde::Serialize;
use serde_json::json;

use super::files::{FILE_BYTES, case_files, code_store, load, wasm};
use crate::cli::output::{failure, mistake, print};
use crate::cli::progress::Progress;
use crate::cli::run::log_messages;
use crate::trial::compare::{Difference, compare};
use crate::trial::observe::observe;
use crate::trial::script::Script;
use crate::trial::{Trial, name};

/// Run a plugin against cases: requests in, and what must come of them
///
/// The plugin runs in the host that a gateway has, with the same limits and the same checks of what leaves it; only the
/// client and the upstream are made up. A case is a few lines of TOML:
///
///   [[case]]
///   name = "without a token nobody passes"
///   expect = { decision = "deny", status = 401 }
///
/// docs/PLUGINS.md has all keys. The plugin's own log lines go to standard error. Ends with 0 when everything is as
/// expected, with 1 when something is not, and with 2 when the cases or the plugin have a mistake.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Test {
    /// The plugin's `.wasm` file, or the folder that it is in.
    plugin: PathBuf,
    /// Files of cases, or folders of them. Default: `NAME.tests.toml`, or the folder
    /// `tests`, beside the `.wasm` file.
    #[arg(long, num_args = 1..)]
    cases: Vec<PathBuf>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Multiplies the plugin's limits of time, for machines that are busy.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    patience: u32,
    /// Where compiled code is kept for the next run. Default: `gatewright/compiled` in the user's folder of caches.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Which messages are written to standard error, as of `gatewright run`.
    #[arg(long, default_value = "error,gatewright::plugin=info")]
    log: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// What became of one case.
#[derive(Serialize)]
struct Verdict {
    file: PathBuf,
    line: usize,
    name: String,
    passed: bool,
    microseconds: u128,
    differences: Vec<Difference>,
}

impl Test {
    /// Does it.
    pub(in crate::cli) fn execute(self) -> ExitCode {
        log_messages(&self.log);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failure(error),
        };
        match runtime.block_on(self.test()) {
            Ok(verdicts) => self.conclude(&verdicts),
            Err(error) => mistake(error),
        }
    }

    async fn test(&self) -> Result<Vec<Verdict>, String> {
        let wasm = wasm(&self.plugin)?;
        let files = load(case_files(&wasm, &self.cases)?)?;
        let text = |error: gatewright_wasm::PluginError| error.to_string();
        let store = self.store.clone().map_or_else(code_store, CodeStore::kept);
        let trial = Trial::new(store, FILE_BYTES, Progress::printed()).map_err(text)?;
        let owner = name(&wasm);
        let mut verdicts = Vec::new();
        for (file, cases) in files {
            let mut limits = cases.plugin;
            limits.time = limits.time.saturating_mul(self.patience);
            limits.cpu = limits.cpu.saturating_mul(self.patience);
            for case in &cases.cases {
                let script = Script::new(&owner, &limits, case, false);
                let script = script.await.map_err(|error| at(&file, case, &error))?;
                let plugin = trial.load_with(&owner, &wasm, &script).await.map_err(text)?;
                let observed = observe(&trial, &plugin, case).await;
                let differences = compare(&case.expect, &observed, &script).await;
                let verdict = Verdict::of(&file, case, differences, observed.time.as_micros());
                if self.format == Format::Human {
                    print(verdict.lines());
                }
                verdicts.push(verdict);
            }
        }
        if verdicts.is_empty() {
            return Err("there are no cases in the files of cases; write one with `[[case]]`".to_owned());
        }
        Ok(verdicts)
    }

    fn conclude(&self, verdicts: &[Verdict]) -> ExitCode {
        let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
        let passed = verdicts.len() - failed;
        match self.format {
            Format::Human => print(format_args!("\n{passed} passed, {failed} failed\n")),
            Format::Json => print(format_args!(
                "{:#}\n",
                json!({ "plugin": self.plugin, "ok": failed == 0, "passed": passed, "failed": failed, "cases": verdicts })
            )),
        }
        match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

fn at(file: &Path, case: &PluginCase, error: &str) -> String {
    format!("{}:{}: {error}", file.display(), case.line)
}

impl Verdict {
    fn of(file: &Path, case: &PluginCase, differences: Vec<Difference>, microseconds: u128) -> Self {
        Self {
            file: file.to_owned(),
            line: case.line,
            name: case.name.clone(),
            passed: differences.is_empty(),
            microseconds,
            differences,
        }
    }

    /// For people.
    fn lines(&self) -> String {
        let Self {
            file,
            line,
            name,
            passed,
            microseconds,
            differences,
        } = self;
        if *passed {
            return format!("ok    {name} ({microseconds} µs)\n");
        }
        let mut text = format!("FAIL  {name} ({}:{line})\n", file.display());
        for Difference { what, expected, got } in differences {
            let indented = |text: &str| text.replace('\n', "\n                  ");
            text.push_str(&format!(
                "      {what}\n        expected: {}\n        got:      {}\n",
                indented(expected),
                indented(got)
            ));
        }
        text
    }
}
