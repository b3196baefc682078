//! Stops calling a plugin that traps on every call: it would only burn processor time and fill the log.
//!
//! Opens after [`THRESHOLD`] failures in a row. One success in between starts the count anew, so a client that sends
//! requests on which a plugin traps does not take it away from the others.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kind::PluginKind;

/// Failures in a row that open it.
pub(crate) const THRESHOLD: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// One runtime's breakers, one for each hook: an authorizer that works says nothing for a transform that traps.
pub(crate) struct Breakers([Breaker; PluginKind::ALL.len()]);

impl Breakers {
    pub(crate) fn new() -> Self {
        Self(PluginKind::ALL.map(|_| Breaker::new()))
    }

    pub(crate) fn of(&self, hook: PluginKind) -> &Breaker {
        let [
            authorizer,
            request_transform,
            response_transform,
            body_filter,
            integration,
        ] = &self.0;
        match hook {
            PluginKind::Authorizer => authorizer,
            PluginKind::RequestTransform => request_transform,
            PluginKind::ResponseTransform => response_transform,
            PluginKind::BodyFilter => body_filter,
            PluginKind::Integration => integration,
        }
    }

    /// Whether calls of some hook are refused.
    pub(crate) fn is_any_open(&self) -> bool {
        self.0.iter().any(Breaker::is_open)
    }
}

/// One hook's breaker.
pub(crate) struct Breaker {
    base: Instant,
    /// Failures in a row before it opened, and failed probes after.
    failures: AtomicU32,
    /// Milliseconds after `base` when a probe may run; 0 when it is closed.
    open_until: AtomicU64,
}

/// What kind of call was let through; it says so again when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// One of many.
    Normal,
    /// The one call of a back-off that finds out whether the plugin works again.
    Probe,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
        }
    }

    /// Whether a call may run; if not, when to try again.
    ///
    /// A probe moves the time of the next one at once, so one that never ends, because its client left, costs one
    /// back-off and does not lock the plugin out for good.
    pub(crate) fn admit(&self) -> Result<Pass, Duration> {
        let until = self.open_until.load(Ordering::Relaxed);
        if until == 0 {
            return Ok(Pass::Normal);
        }
        let now = self.now();
        if now < until {
            return Err(Duration::from_millis(until - now));
        }
        let backoff = self.backoff();
        let next = now + millis(backoff);
        match self
            .open_until
            .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => Ok(Pass::Probe),
            // Another call became the probe, or closed the breaker just now.
            Err(0) => Ok(Pass::Normal),
            Err(_) => Err(backoff),
        }
    }

    /// Notes a call that did not fail. True when it closed the breaker.
    pub(crate) fn succeeded(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        self.open_until.swap(0, Ordering::Relaxed) != 0
    }

    /// Notes a trap or timeout. The back-off when it opened the breaker.
    pub(crate) fn failed(&self, pass: Pass) -> Option<Duration> {
        let open = self.is_open();
        if open && pass == Pass::Normal {
            // Began before the breaker opened: says nothing new, and must not lengthen the back-off.
            return None;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < THRESHOLD {
            return None;
        }
        let backoff = self.backoff();
        self.open_until.store(self.now() + millis(backoff), Ordering::Relaxed);
        (!open).then_some(backoff)
    }

    /// Whether calls are refused.
    pub(crate) fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) != 0
    }

    fn backoff(&self) -> Duration {
        let doublings = self.failures.load(Ordering::Relaxed).saturating_sub(THRESHOLD).min(5);
        (FIRST_BACKOFF * (1 << doublings)).min(LONGEST_BACKOFF)
    }

    /// Never 0, which means closed.
    fn now(&self) -> u64 {
        millis(self.base.elapsed()) + 1
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Breaker {
        let breaker = Breaker::new();
        for _ in 0..THRESHOLD {
            assert_eq!(breaker.admit(), Ok(Pass::Normal));
            breaker.failed(Pass::Normal);
        }
        breaker
    }

    fn let_backoff_pass(breaker: &Breaker) {
        breaker.open_until.store(1, Ordering::Relaxed);
    }

    #[test]
    fn a_success_in_between_keeps_it_closed() {
        let breaker = Breaker::new();
        for _ in 0..100 {
            for _ in 1..THRESHOLD {
                breaker.failed(Pass::Normal);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.admit(), Ok(Pass::Normal));
    }

    #[test]
    fn failures_in_a_row_open_it_for_a_second() {
        let breaker = open();
        let wait = breaker.admit().unwrap_err();
        assert!(wait <= FIRST_BACKOFF && wait > FIRST_BACKOFF / 2, "{wait:?}");
    }

    #[test]
    fn one_probe_runs_in_a_backoff_and_closes_it_when_it_succeeds() {
        let breaker = open();
        let_backoff_pass(&breaker);
        assert_eq!(breaker.admit(), Ok(Pass::Probe));
        assert!(breaker.admit().is_err());
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit(), Ok(Pass::Normal));
    }

    #[test]
    fn failed_probes_double_the_backoff_up_to_half_a_minute() {
        let breaker = open();
        for expected in [2, 4, 8, 16, 30, 30] {
            let_backoff_pass(&breaker);
            assert_eq!(breaker.admit(), Ok(Pass::Probe));
            breaker.failed(Pass::Probe);
            let wait = breaker.admit().unwrap_err();
            assert_eq!(wait.as_secs_f64().ceil() as u64, expected);
        }
    }

    #[test]
    fn calls_that_began_before_it_opened_do_not_lengthen_the_backoff() {
        let breaker = open();
        for _ in 0..50 {
            breaker.failed(Pass::Normal);
        }
        assert!(breaker.admit().unwrap_err() <= FIRST_BACKOFF);
    }
}
