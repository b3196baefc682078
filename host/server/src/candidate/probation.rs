//! How a candidate does, and the rules by which its trial ends.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gatewright_config::units::format_duration;
use gatewright_config::{CandidateConfig, CandidateShare};
use gatewright_core::{ClientIp, Exchange};
use gatewright_wasm::{CallObserver, PluginSummary};
use serde_json::{Value, json};

use crate::telemetry::CandidateMetrics;

/// Calls that the rules are about.
const WINDOW: u32 = 100;

/// One candidate's trial.
pub struct Probation {
    name: String,
    digest: String,
    serving: String,
    rules: CandidateConfig,
    version: OnceLock<String>,
    /// When and why it was over; none while it lasts.
    end: OnceLock<(Instant, String)>,
    refused: OnceLock<()>,
    calls: Mutex<Calls>,
    decisions: Mutex<Decisions>,
    /// Over the whole trial: calls, failed ones, slow ones.
    totals: [AtomicU64; 3],
    metrics: CandidateMetrics,
}

#[derive(Default)]
struct Calls {
    count: u32,
    failed: u32,
    slow: u32,
}

#[derive(Default)]
struct Decisions {
    count: u32,
    other: u32,
}

/// What came of asking a shadow beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The same.
    Same,
    /// The same decision, with other edits or attributes.
    OtherEdits,
    /// Another decision.
    OtherDecision,
}

impl Probation {
    /// A trial that begins.
    pub fn new(name: &str, digest: &str, serving: &str, rules: &CandidateConfig, metrics: CandidateMetrics) -> Self {
        Self {
            name: name.to_owned(),
            digest: digest.to_owned(),
            serving: serving.to_owned(),
            rules: rules.clone(),
            version: OnceLock::new(),
            end: OnceLock::new(),
            refused: OnceLock::new(),
            calls: Mutex::default(),
            decisions: Mutex::default(),
            totals: Default::default(),
            metrics,
        }
    }

    /// Whether it is the trial of this file, beside that one, by these rules.
    pub fn is_of(&self, digest: &str, serving: &str, rules: &CandidateConfig) -> bool {
        self.digest == digest && self.serving == serving && self.rules == *rules
    }

    /// Its rules.
    pub fn rules(&self) -> &CandidateConfig {
        &self.rules
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.end.get().is_some()
    }

    /// Why it is over, if it is.
    pub fn over(&self) -> Option<&str> {
        self.end.get().map(|(_, reason)| reason.as_str())
    }

    /// Whether it never began. What was in its way may be gone the next time.
    pub fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// The candidate can be on trial.
    pub fn accept(&self, candidate: &PluginSummary) {
        let _ = self.version.set(candidate.version.clone());
    }

    /// A generation has been published: `takes_part` says whether the candidate is in it.
    pub fn published(&self, takes_part: bool) {
        let on_trial = takes_part && !self.is_over();
        let before = self.metrics.on_trial.set(i64::from(on_trial));
        if on_trial && before == 0 {
            let (version, mode) = (self.version.get(), self.rules.mode);
            tracing::info!(plugin = self.name, ?version, ?mode, "candidate is on trial");
        }
    }

    /// The candidate cannot be on trial.
    pub fn refuse(&self, reason: &str) {
        let _ = self.refused.set(());
        if self.end.set((Instant::now(), format!("refused: {reason}"))).is_ok() {
            tracing::error!(
                plugin = self.name,
                "candidate refused, the version that serves goes on: {reason}"
            );
        }
    }

    /// Whether an exchange is the candidate's. The same for all calls of an exchange, whatever happens meanwhile: one that
    /// began before the roll-back ends as it began.
    pub fn has(&self, exchange: &Exchange) -> bool {
        if self.end.get().is_some_and(|(end, _)| exchange.record.started >= *end) {
            return false;
        }
        let mut hash = DefaultHasher::new();
        self.name.hash(&mut hash);
        match (self.rules.by, exchange.client.address) {
            (CandidateShare::Client, ClientIp::Known(address)) => address.hash(&mut hash),
            _ => (exchange.id.process, exchange.id.number).hash(&mut hash),
        }
        hash.finish() % 100 < u64::from(self.rules.percent)
    }

    /// A canary serves a request.
    pub fn served(&self) {
        self.metrics.served.inc();
    }

    /// A shadow was left out, because others are asked.
    pub fn left_out(&self) {
        self.metrics.left_out.inc();
    }

    /// A shadow was asked, and answered `candidate` where the version that serves answered `serving`.
    pub fn compared(&self, compared: Compared, serving: &str, candidate: &str) {
        match compared {
            Compared::Same => self.metrics.same.inc(),
            Compared::OtherEdits => self.metrics.other_edits.inc(),
            Compared::OtherDecision => self.metrics.other_decision.inc(),
        };
        if compared == Compared::OtherDecision {
            tracing::debug!(plugin = self.name, serving, candidate, "candidate decides otherwise");
        }
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.count >= WINDOW {
            *decisions = Decisions::default();
        }
        decisions.count += 1;
        decisions.other += u32::from(compared == Compared::OtherDecision);
        let (count, other) = (decisions.count, decisions.other);
        drop(decisions);
        if let Some(most) = self.rules.differences.filter(|most| other > *most) {
            self.roll_back(&format!(
                "{other} of {count} decisions were other ones (`differences` is {most}), the last one {candidate} instead of \
                 {serving}"
            ));
        }
    }

    fn roll_back(&self, rule: &str) {
        if self.end.set((Instant::now(), format!("rolled back: {rule}"))).is_ok() {
            self.metrics.on_trial.set(0);
            let version = self.version.get().map_or("", String::as_str);
            tracing::error!(
                plugin = self.name,
                version,
                "candidate rolled back, the version that served goes on: {rule}"
            );
        }
    }

    /// For `/plugins`.
    pub fn status(&self) -> Value {
        let total = |index: usize| self.totals.get(index).map_or(0, |total| total.load(Ordering::Relaxed));
        json!({
            "mode": self.rules.mode,
            "percent": self.rules.percent,
            "version": self.version.get(),
            "digest": self.digest,
            "on_trial": self.version.get().is_some() && !self.is_over(),
            "over": self.over(),
            "calls": total(0),
            "failed": total(1),
            "slow": total(2),
            "served": self.metrics.served.get(),
            "same": self.metrics.same.get(),
            "other_edits": self.metrics.other_edits.get(),
            "other_decision": self.metrics.other_decision.get(),
            "left_out": self.metrics.left_out.get(),
        })
    }
}

impl CallObserver for Probation {
    fn called(&self, failed: bool, time: Duration) {
        let slow = self.rules.slow_after.is_some_and(|limit| time > limit);
        for (total, counts) in self.totals.iter().zip([true, failed, slow]) {
            total.fetch_add(u64::from(counts), Ordering::Relaxed);
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.count >= WINDOW {
            *calls = Calls::default();
        }
        calls.count += 1;
        calls.failed += u32::from(failed);
        calls.slow += u32::from(slow);
        let Calls { count, failed, slow } = *calls;
        drop(calls);
        let CandidateConfig {
            failures,
            slow: most,
            slow_after,
            ..
        } = self.rules;
        if failed > failures {
            self.roll_back(&format!("{failed} of {count} calls failed (`failures` is {failures})"));
        } else if let Some(limit) = slow_after.filter(|_| slow > most) {
            let limit = format_duration(limit);
            self.roll_back(&format!(
                "{slow} of {count} calls took longer than {limit} (`slow` is {most})"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_config::CandidateMode;

    use super::*;
    use crate::telemetry::Metrics;

    fn probation(change: impl Fn(&mut CandidateConfig)) -> Probation {
        let mut rules = CandidateConfig {
            mode: CandidateMode::Shadow,
            percent: 100,
            by: CandidateShare::Request,
            failures: 0,
            slow_after: Some(Duration::from_millis(10)),
            slow: 10,
            differences: Some(1),
            concurrency: 4,
        };
        change(&mut rules);
        Probation::new("a", "new", "old", &rules, Metrics::default().candidate(&"a".into()))
    }

    fn over(probation: &Probation) -> String {
        probation
            .end
            .get()
            .map(|(_, reason)| reason.clone())
            .unwrap_or_default()
    }

    const FAST: Duration = Duration::from_millis(10);
    const SLOW: Duration = Duration::from_millis(11);

    #[test]
    fn failures_above_the_limit_end_it() {
        let strict = probation(|_| {});
        (0..1000).for_each(|_| strict.called(false, FAST));
        assert!(!strict.is_over());
        strict.called(true, FAST);
        assert_eq!(over(&strict), "rolled back: 1 of 1 calls failed (`failures` is 0)");

        let patient = probation(|rules| rules.failures = 2);
        // Two of each hundred.
        (0..1000).for_each(|call| patient.called(call % 50 == 0, FAST));
        assert!(!patient.is_over());
        (0..3).for_each(|_| patient.called(true, FAST));
        assert!(over(&patient).contains("3 of 3 calls failed"), "{}", over(&patient));
    }

    #[test]
    fn slow_calls_above_the_limit_end_it() {
        let probation = probation(|_| {});
        (0..10).for_each(|_| probation.called(false, SLOW));
        assert!(!probation.is_over());
        probation.called(false, SLOW);
        assert_eq!(
            over(&probation),
            "rolled back: 11 of 11 calls took longer than 10ms (`slow` is 10)"
        );
    }

    #[test]
    fn other_decisions_above_the_limit_end_it_and_other_edits_do_not() {
        let probation = probation(|_| {});
        (0..500).for_each(|_| probation.compared(Compared::OtherEdits, "proceed", "proceed"));
        probation.compared(Compared::OtherDecision, "proceed", "answer 403");
        assert!(!probation.is_over());
        probation.compared(Compared::OtherDecision, "proceed", "answer 403");
        assert!(
            over(&probation).ends_with("the last one answer 403 instead of proceed"),
            "{}",
            over(&probation)
        );

        let counted = self::probation(|rules| rules.differences = None);
        (0..500).for_each(|_| counted.compared(Compared::OtherDecision, "proceed", "answer 403"));
        assert!(!counted.is_over());
        assert_eq!(counted.status()["other_decision"], 500);
    }
}
