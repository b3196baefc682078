//! The tests that a new version of a plugin has to pass before it serves: cases in `NAME.tests.toml` beside `NAME.wasm`.
//!
//! They run in a host of their own, beside the one that serves, with no services but those that the cases script. What has passed is remembered: only new
//! bytes, or new cases, are tried again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_config::cases::{CaseFile, PluginCase, parse_cases};
use gatewright_wasm::{HostSettings, Plugin};
use sha2::{Digest as _, Sha256};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::Trial;
use super::compare::{Difference, compare};
use super::observe::observe;
use super::script::Script;
use crate::files;

/// All cases of one plugin together.
const TIME: Duration = Duration::from_secs(30);
/// What limits of time are multiplied by: the machine has requests to serve, and a case is about what a plugin answers.
const PATIENCE: u32 = 20;
/// The largest file of cases that is read.
const FILE_BYTES: u64 = 1 << 20;

/// Where the cases of a plugin's file are.
pub fn tests_file(plugin: &Path) -> PathBuf {
    plugin.with_extension("tests.toml")
}

/// What has passed so far.
pub struct Proofs {
    /// Of the host that serves.
    settings: HostSettings,
    /// Digests of the file and of its cases, by the file.
    passed: Mutex<HashMap<PathBuf, (String, [u8; 32])>>,
}

impl Proofs {
    /// Nothing has passed yet.
    pub fn new(settings: HostSettings) -> Self {
        Self {
            settings,
            passed: Mutex::default(),
        }
    }

    /// Runs the cases of a plugin that is loaded, if there are any and these have not been passed before.
    ///
    /// # Errors
    /// Which case fails and how, or why they cannot be run.
    pub async fn check(&self, file: &Path, plugin: &Plugin) -> Result<(), String> {
        let tests = tests_file(file);
        let Some(text) = read(&tests)
            .map_err(|error| format!("cannot read {}: {}", tests.display(), gatewright_config::reason(&error)))?
        else {
            return Ok(());
        };
        let summary = plugin.summary();
        let proof = (summary.digest.clone(), Sha256::digest(&text).into());
        if self.lock().get(file) == Some(&proof) {
            return Ok(());
        }
        let cases = parse_cases(&text, &tests).map_err(|errors| errors.to_string())?;
        let who = format!("plugin `{}` {} ({})", summary.name, summary.version, file.display());
        // What the plugin logs in a test did not happen.
        let run = self.run(plugin, &tests, &cases);
        let run = tokio::time::timeout(TIME, run.with_subscriber(NoSubscriber::new()));
        match run.await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return Err(format!("{who} {reason}")),
            Err(_) => {
                return Err(format!(
                    "{who} does not pass its tests: the cases in {} do not end within {} s",
                    tests.display(),
                    TIME.as_secs()
                ));
            }
        }
        tracing::info!(
            plugin = summary.name,
            version = summary.version,
            cases = cases.cases.len(),
            "plugin passed its tests"
        );
        self.lock().insert(file.to_owned(), proof);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (String, [u8; 32])>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, tested: &Plugin, tests: &Path, cases: &CaseFile) -> Result<(), String> {
        if cases.cases.is_empty() {
            return Err(format!(
                "has no case in {}; write one with `[[case]]`, or remove the file",
                tests.display()
            ));
        }
        let summary = tested.summary();
        let untried = |error| format!("cannot be tested: {error}");
        let trial = Trial::beside(&self.settings).map_err(untried)?;
        let mut limits = cases.plugin.clone();
        limits.time = limits.time.saturating_mul(PATIENCE);
        limits.cpu = limits.cpu.saturating_mul(PATIENCE);
        let mut failed = Vec::new();
        for case in &cases.cases {
            let script = Script::new(&summary.name, &limits, case, false).await;
            let script =
                script.map_err(|error| format!("cannot be tested: {}:{}: {error}", tests.display(), case.line))?;
            let plugin = trial
                .load_with(&summary.name, &summary.file, &script)
                .await
                .map_err(untried)?;
            if plugin.summary().digest != summary.digest {
                // What would serve has not been tested. The next reload finds one file.
                return Err("was replaced while it was loaded".to_owned());
            }
            let observed = observe(&trial, &plugin, case).await;
            let differences = compare(&case.expect, &observed, &script).await;
            if !differences.is_empty() {
                failed.push((case, differences));
            }
        }
        match failed.split_first() {
            None => Ok(()),
            Some(((case, differences), others)) => Err(failure(&summary.file, tests, case, differences, others.len())),
        }
    }
}

fn failure(file: &Path, tests: &Path, case: &PluginCase, differences: &[Difference], others: usize) -> String {
    let differences: Vec<_> = differences
        .iter()
        .map(|Difference { what, expected, got }| format!("{what}: expected {expected}, got {got}"))
        .collect();
    let more = match others {
        0 => String::new(),
        others => format!("; {others} more failed"),
    };
    format!(
        "does not pass its tests: case `{}` ({}:{}): {}{more}; `gatewright plugin test {}` shows all of it",
        case.name,
        tests.display(),
        case.line,
        differences.join("; "),
        file.display()
    )
}

/// None when there is no such file.
fn read(file: &Path) -> io::Result<Option<String>> {
    match files::read(file, FILE_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(io::Error::other),
    }
}
