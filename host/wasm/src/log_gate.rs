//! Lets one line of a kind into the log each second, and says how many it held back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// One gate.
pub(crate) struct LogGate {
    base: Instant,
    /// Milliseconds after `base` when the next line may pass.
    next: AtomicU64,
    suppressed: AtomicU64,
}

impl LogGate {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            next: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether the next line may pass, and none was held back.
    fn is_at_rest(&self) -> bool {
        self.now() >= self.next.load(Ordering::Relaxed) && self.suppressed.load(Ordering::Relaxed) == 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How many lines were held back since the last one, if this one may pass.
    pub(crate) fn open(&self) -> Option<u64> {
        let now = self.now();
        let next = self.next.load(Ordering::Relaxed);
        let after = now.saturating_add(INTERVAL.as_millis() as u64);
        if now < next
            || self
                .next
                .compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

impl Default for LogGate {
    fn default() -> Self {
        Self::new()
    }
}

/// Names with a gate of their own.
const NAMES: usize = 256;

/// A gate for each name, as long as they are few; the others share one.
#[derive(Default)]
pub(crate) struct LogGates {
    own: Mutex<HashMap<String, LogGate>>,
    others: LogGate,
}

impl LogGates {
    /// How many lines about this name were held back since the last one, if this one may pass.
    pub(crate) fn open(&self, name: &str) -> Option<u64> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = own.get(name) {
            return gate.open();
        }
        if own.len() >= NAMES {
            // Those that nobody has asked for in a second have nothing to hold back.
            own.retain(|_, gate| !gate.is_at_rest());
        }
        match own.len() < NAMES {
            true => own.entry(name.to_owned()).or_default().open(),
            false => self.others.open(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_passes_and_the_rest_is_counted() {
        let gate = LogGate::new();
        assert_eq!(gate.open(), Some(0));
        assert_eq!(gate.open(), None);
        assert_eq!(gate.open(), None);
        gate.next.store(0, Ordering::Relaxed);
        assert_eq!(gate.open(), Some(2));
    }

    #[test]
    fn each_name_passes_once_a_second_and_names_are_bounded() {
        let gates = LogGates::default();
        for name in ["kv a", "kv b", "http-client a"] {
            assert_eq!(gates.open(name), Some(0), "{name}");
            assert_eq!(gates.open(name), None, "{name}");
        }
        let passed = (0..10 * NAMES).filter(|number| gates.open(&number.to_string()).is_some());
        assert!(passed.count() <= NAMES);
        assert!(gates.own.lock().unwrap().len() <= NAMES);
    }
}
