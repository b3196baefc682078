//! What responses say of the targets of an upstream: one that fails too often gets no requests for a while, and is tried with
//! one request before it gets its share again. Never more than half of the targets are left out, so that what all of them
//! do, or what clients make them do, takes nobody away.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_config::EjectionConfig;
use http::StatusCode;

use crate::telemetry::EjectionMetrics;

/// Responses are looked at together for so long.
const WINDOW: Duration = Duration::from_secs(10);
/// The longest that a target is left out.
const LONGEST: Duration = Duration::from_secs(300);

/// The targets of one upstream.
pub struct Group {
    config: EjectionConfig,
    /// How many may be left out.
    most: usize,
    ejected: AtomicUsize,
    metrics: EjectionMetrics,
}

/// One target of a group.
pub struct Health {
    group: Arc<Group>,
    target: Arc<str>,
    ejected: AtomicBool,
    state: Mutex<State>,
}

struct State {
    since: Instant,
    responses: u32,
    failures: u32,
    /// While it is left out: when it is tried next.
    try_at: Instant,
    /// A request tries it.
    is_tried: bool,
    /// How often it was left out in a row.
    times: u32,
}

/// How a request at a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was a response.
    Response {
        /// Its status.
        status: StatusCode,
        /// Until its header section was there.
        took: Duration,
    },
    /// There was none: no connection, a broken one, or none in time.
    Nothing,
}

impl Group {
    /// A group of so many targets; none where nobody can be left out.
    pub fn new(config: &EjectionConfig, targets: usize, metrics: EjectionMetrics) -> Option<Arc<Self>> {
        let most = targets / 2;
        (config.failures > 0 && most > 0).then(|| {
            Arc::new(Self {
                config: config.clone(),
                most,
                ejected: AtomicUsize::new(0),
                metrics,
            })
        })
    }

    /// Leaves one out, if that may be.
    fn take(&self) -> bool {
        let more = |ejected| (ejected < self.most).then_some(ejected + 1);
        let taken = self.ejected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok()
    }

    fn is_failure(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Nothing => true,
            // What a server does not implement it will not implement the next time, and says so quite healthily.
            Outcome::Response { status, took } => {
                matches!(status.as_u16(), 500 | 502..=504) || self.config.slow.is_some_and(|slow| took > slow)
            }
        }
    }
}

impl Health {
    /// That of a target of which nothing is known.
    pub fn new(group: &Arc<Group>, target: &Arc<str>) -> Self {
        let now = Instant::now();
        Self {
            group: Arc::clone(group),
            target: Arc::clone(target),
            ejected: AtomicBool::new(false),
            state: Mutex::new(State {
                since: now,
                responses: 0,
                failures: 0,
                try_at: now,
                is_tried: false,
                times: 0,
            }),
        }
    }

    /// Whether it gets the next request. Where that is the one that tries it, the others do not.
    pub fn takes(&self, now: Instant) -> bool {
        if !self.ejected.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.state();
        if now < state.try_at {
            return false;
        }
        state.is_tried = true;
        // A request that ends without saying anything, because its client has left, is not the last one.
        state.try_at = now + self.group.config.time;
        true
    }

    /// Whether it is left out.
    pub fn is_left_out(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    /// Whether it is left out and gets a request all the same, because there is nobody else: that one tries it too.
    pub fn takes_as_last_resort(&self) -> bool {
        let is_left_out = self.ejected.load(Ordering::Relaxed);
        if is_left_out {
            self.state().is_tried = true;
        }
        is_left_out
    }

    /// What became of a request that it got.
    pub fn saw(&self, outcome: Outcome, now: Instant) {
        let failed = self.group.is_failure(outcome);
        let mut state = self.state();
        if self.ejected.load(Ordering::Relaxed) {
            match (state.is_tried, failed) {
                // From before it was left out.
                (false, _) => {}
                (true, true) => self.leave_out(&mut state, now),
                (true, false) => self.take_back(&mut state, now),
            }
            return;
        }
        if now.saturating_duration_since(state.since) > WINDOW {
            (state.since, state.responses, state.failures) = (now, 0, 0);
            // It has been well for a while.
            state.times = 0;
        }
        state.responses = state.responses.saturating_add(1);
        state.failures = state.failures.saturating_add(u32::from(failed));
        let too_many = state.failures >= self.group.config.failures && state.failures * 2 >= state.responses;
        if failed && too_many && self.group.take() {
            self.ejected.store(true, Ordering::Relaxed);
            self.group.metrics.ejected(1);
            tracing::warn!(
                target = &*self.target,
                failures = state.failures,
                responses = state.responses,
                "a target fails too often and gets no requests for a while"
            );
            self.leave_out(&mut state, now);
        }
    }

    fn leave_out(&self, state: &mut State, now: Instant) {
        let time = self.group.config.time.saturating_mul(1 << state.times.min(10));
        state.try_at = now + time.min(LONGEST);
        state.times = state.times.saturating_add(1);
        state.is_tried = false;
    }

    fn take_back(&self, state: &mut State, now: Instant) {
        self.ejected.store(false, Ordering::Relaxed);
        self.group.ejected.fetch_sub(1, Ordering::Relaxed);
        self.group.metrics.ejected(-1);
        (state.since, state.responses, state.failures) = (now, 0, 0);
        state.is_tried = false;
        tracing::info!(target = &*self.target, "a target that was left out answers again");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        if self.ejected.load(Ordering::Relaxed) {
            self.group.metrics.ejected(-1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn group(targets: usize) -> (Arc<Group>, Vec<Health>) {
        let config = EjectionConfig {
            failures: 5,
            slow: Some(Duration::from_secs(1)),
            time: Duration::from_secs(10),
        };
        let group = Group::new(&config, targets, Metrics::default().ejections("app")).unwrap();
        let target = |number: usize| Health::new(&group, &format!("target {number}").into());
        let targets = (0..targets).map(target).collect();
        (group, targets)
    }

    fn good() -> Outcome {
        answer(200)
    }

    fn answer(status: u16) -> Outcome {
        Outcome::Response {
            status: StatusCode::from_u16(status).unwrap(),
            took: Duration::from_millis(1),
        }
    }

    #[test]
    fn who_fails_every_second_time_is_left_out_and_who_fails_seldom_is_not() {
        let (_group, targets) = group(3);
        let now = Instant::now();
        for number in 0..100 {
            targets[0].saw(if number % 2 == 0 { answer(503) } else { good() }, now);
            targets[1].saw(if number % 3 == 0 { Outcome::Nothing } else { good() }, now);
            targets[2].saw(answer(if number % 2 == 0 { 501 } else { 404 }), now);
        }
        let takes: Vec<_> = targets.iter().map(|target| target.takes(now)).collect();
        assert_eq!(takes, [false, true, true]);
    }

    #[test]
    fn who_is_slow_is_left_out_where_it_is_said_what_slow_is() {
        let (_group, targets) = group(2);
        let now = Instant::now();
        for _ in 0..5 {
            targets[0].saw(
                Outcome::Response {
                    status: StatusCode::OK,
                    took: Duration::from_secs(2),
                },
                now,
            );
        }
        assert!(!targets[0].takes(now));
    }

    #[test]
    fn half_of_them_stay_whatever_they_do() {
        let (group, targets) = group(5);
        let now = Instant::now();
        for target in &targets {
            (0..20).for_each(|_| target.saw(Outcome::Nothing, now));
        }
        assert_eq!(group.ejected.load(Ordering::Relaxed), 2);
        assert_eq!(targets.iter().filter(|target| target.takes(now)).count(), 3);
        assert!(Group::new(&group.config, 1, Metrics::default().ejections("app")).is_none());
    }

    #[test]
    fn one_request_tries_it_and_each_failure_doubles_the_time() {
        let (_group, targets) = group(2);
        let target = &targets[0];
        let mut now = Instant::now();
        (0..5).for_each(|_| target.saw(Outcome::Nothing, now));
        // What was on its way says nothing of what is now.
        target.saw(good(), now);
        for seconds in [10, 20, 40] {
            now += Duration::from_secs(seconds);
            assert!(!target.takes(now - Duration::from_millis(1)), "{seconds}");
            assert!(target.takes(now));
            assert!(!target.takes(now), "only one");
            target.saw(Outcome::Nothing, now);
        }
        now += Duration::from_secs(80);
        assert!(target.takes(now));
        // Its client has left, and it says nothing.
        now += Duration::from_secs(10);
        assert!(target.takes(now));
        target.saw(good(), now);
        assert!(target.takes(now) && target.takes(now));
    }
}
