//! How many requests may be sent twice: a fifth of all at most, so that an upstream in trouble is not asked more instead of less.
//! When that is used up requests go out on new connections, where none has to be sent twice.

use std::sync::atomic::{AtomicU32, Ordering};

use gatewright_core::PerWorker;

/// What sending one twice costs.
const PRICE: u32 = 5;
/// What may be saved up, and is there at the beginning: ten of them.
const MOST: u32 = 10 * PRICE;

/// What one upstream has to spend, by worker.
#[derive(Debug)]
pub struct Budget(PerWorker<AtomicU32>);

impl Budget {
    /// A full one.
    pub fn new(workers: usize) -> Self {
        Self(PerWorker::new(workers, |_| AtomicU32::new(MOST)))
    }

    /// A request is sent for the first time.
    pub fn earn(&self) {
        // Nobody else writes what is a worker's own; if somebody did, a request more or less would be of no matter.
        let saved = self.0.local();
        let amount = saved.load(Ordering::Relaxed);
        if amount < MOST {
            saved.store(amount + 1, Ordering::Relaxed);
        }
    }

    /// Whether one may be sent twice.
    #[must_use]
    pub fn suffices(&self) -> bool {
        self.0.local().load(Ordering::Relaxed) >= PRICE
    }

    /// One is sent twice.
    pub fn spend(&self) {
        let saved = self.0.local();
        let rest = saved.load(Ordering::Relaxed).saturating_sub(PRICE);
        saved.store(rest, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_all_may_be_sent_twice() {
        let budget = Budget::new(1);
        let mut twice = 0;
        for _ in 0..1000 {
            budget.earn();
            if budget.suffices() {
                budget.spend();
                twice += 1;
            }
        }
        assert!((200..=210).contains(&twice), "{twice}");
    }
}
