//! What has been spent of quotas in this process: of those that nobody else counts, and what was last known of those that
//! the shared server counts, so that nothing begins anew when that one is away or was emptied.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_core::{Counted, Quota, Spent};

use crate::state::bounds;

/// Parts of the map, each with a lock of its own.
const SHARDS: usize = 64;
/// Counts kept in a shard: two millions in all.
const MAX_COUNTS: usize = 32 * 1024;
/// Counts whose period is over are looked for this often, in seconds, if there were not too many before.
const SWEEP_INTERVAL: u64 = 60;
/// Counts looked at to find one that can go.
const EVICTION_SAMPLE: usize = 8;

/// Which count: a digest of the limit's name and the key.
pub type CountId = [u8; 16];

/// What was spent of one quota by one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// When the period began, in seconds since 1970.
    pub start: u64,
    /// When it ends.
    pub end: u64,
    /// What was spent in it.
    pub used: u64,
    /// How much of that the shared server has not been told.
    pub untold: u64,
    /// How often an operator has said what was spent: what was known before is worth nothing since.
    pub corrections: u64,
}

/// The counts.
pub(super) struct Quotas {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// Something was counted since they were last written down.
    changed: AtomicBool,
}

#[derive(Default)]
struct Shard {
    counts: HashMap<CountId, Count>,
    sweep_at_len: usize,
    sweep_at: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            changed: AtomicBool::new(false),
        }
    }
}

impl Quotas {
    /// Spends, if there is enough left. `untold` says that the shared server has to be told of it later.
    pub(super) fn spend(&self, id: CountId, quota: Quota, requests: u64, now: u64, untold: bool) -> Spent {
        let mut shard = self.shard(&id);
        let mut count = shard.current(&id, quota, now);
        let allowed = count.used.saturating_add(requests) <= quota.limit;
        if allowed && requests > 0 {
            count.used += requests;
            if untold {
                count.untold += requests;
            }
            shard.keep(id, count, now);
            self.changed.store(true, Ordering::Relaxed);
        }
        spent(allowed, count, quota, now)
    }

    /// Sets what was spent.
    pub(super) fn correct(&self, id: CountId, quota: Quota, used: u64, now: u64) -> Spent {
        let mut shard = self.shard(&id);
        let before = shard.current(&id, quota, now);
        let count = Count {
            used,
            untold: 0,
            corrections: before.corrections + 1,
            ..before
        };
        shard.keep(id, count, now);
        self.changed.store(true, Ordering::Relaxed);
        spent(true, count, quota, now)
    }

    /// What the server is known to have counted; with `all` also what it has not been told, which is on its way then and
    /// not here any more.
    pub(super) fn tell(&self, id: &CountId, all: bool) -> Option<Count> {
        let mut shard = self.shard(id);
        let count = shard.counts.get_mut(id)?;
        let counted = Count {
            used: count.used.saturating_sub(count.untold),
            untold: 0,
            ..*count
        };
        if !all {
            return Some(counted);
        }
        Some(std::mem::replace(count, counted))
    }

    /// The server was not told after all.
    pub(super) fn untell(&self, id: &CountId, told: Count) {
        if let Some(count) = self.shard(id).counts.get_mut(id)
            && count.start == told.start
        {
            count.used += told.untold;
            count.untold += told.untold;
        }
    }

    /// What the server says was spent by all. Answers come in any order, and what was spent here in the meantime is not in
    /// them.
    pub(super) fn learn(&self, id: CountId, known: Count, now: u64) {
        let mut shard = self.shard(&id);
        let count = match shard.counts.get(&id) {
            Some(count) if (count.start, count.corrections) > (known.start, known.corrections) => return,
            Some(count) if count.start == known.start => {
                let told = known.used.saturating_add(count.untold);
                let is_later = known.corrections > count.corrections;
                Count {
                    used: if is_later { told } else { told.max(count.used) },
                    untold: count.untold,
                    ..known
                }
            }
            _ => known,
        };
        shard.keep(id, count, now);
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Whether there was a change since this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// All counts whose period is not over.
    pub(super) fn export(&self, now: u64) -> Vec<(CountId, Count)> {
        let mut counts = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            counts.extend(
                shard
                    .counts
                    .iter()
                    .map(|(id, count)| (*id, *count))
                    .filter(|(_, count)| count.end > now),
            );
        }
        counts
    }

    /// A count that was written down.
    pub(super) fn import(&self, id: CountId, count: Count, now: u64) {
        if count.end > now {
            self.shard(&id).keep(id, count, now);
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the number of shards, which is not zero"
    )]
    fn shard(&self, id: &CountId) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(id) as usize % SHARDS;
        // A panic elsewhere cannot leave a number half-written.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// What was spent in the period of `now`.
    fn current(&self, id: &CountId, quota: Quota, now: u64) -> Count {
        let (start, end) = bounds(quota.period, now);
        match self.counts.get(id) {
            // A clock that was set back does not give a period again: the one that had begun goes on.
            Some(count) if count.start == start || count.start == end => *count,
            _ => Count {
                start,
                end,
                used: 0,
                untold: 0,
                corrections: 0,
            },
        }
    }

    fn keep(&mut self, id: CountId, count: Count, now: u64) {
        if self.counts.len() >= self.sweep_at_len.max(1024) || now >= self.sweep_at {
            self.sweep_at = now + SWEEP_INTERVAL;
            self.counts.retain(|_, count| count.end > now);
            self.counts.shrink_to(self.counts.len() * 2);
            self.sweep_at_len = self.counts.len() * 2;
        }
        if self.counts.len() >= MAX_COUNTS && !self.counts.contains_key(&id) {
            // Who has spent least loses least by being forgotten: who has used up his quota keeps it.
            let least = self
                .counts
                .iter()
                .take(EVICTION_SAMPLE)
                .min_by_key(|(_, count)| count.used);
            if let Some(id) = least.map(|(id, _)| *id) {
                self.counts.remove(&id);
            }
        }
        self.counts.insert(id, count);
    }
}

fn spent(allowed: bool, count: Count, quota: Quota, now: u64) -> Spent {
    Spent {
        allowed,
        used: count.used,
        remaining: quota.limit.saturating_sub(count.used),
        reset: Duration::from_secs(count.end.saturating_sub(now)),
        counted: Counted::AsConfigured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_core::Period;

    const HOUR: u64 = 3600;
    const A: CountId = [1; 16];
    const THREE: Quota = Quota {
        limit: 3,
        period: Period::Hour,
    };

    fn used(spent: Spent) -> (bool, u64, u64) {
        (spent.allowed, spent.used, spent.remaining)
    }

    #[test]
    fn a_period_has_its_quota_and_the_next_one_too() {
        let quotas = Quotas::default();
        let spend = |requests, now| used(quotas.spend(A, THREE, requests, now, false));
        assert_eq!(spend(1, 10), (true, 1, 2));
        assert_eq!(spend(2, 11), (true, 3, 0));
        assert_eq!(spend(1, HOUR - 1), (false, 3, 0));
        assert_eq!(spend(0, HOUR - 1), (true, 3, 0));
        assert_eq!(spend(1, HOUR), (true, 1, 2));
        assert_eq!(quotas.spend(A, THREE, 0, HOUR + 10, false).reset.as_secs(), HOUR - 10);
    }

    #[test]
    fn s6_a_clock_that_goes_back_gives_nothing_twice() {
        let quotas = Quotas::default();
        for now in [HOUR + 1, HOUR + 2, HOUR - 300] {
            assert!(quotas.spend(A, THREE, 1, now, false).allowed);
        }
        let refused = quotas.spend(A, THREE, 1, HOUR - 299, false);
        assert_eq!(used(refused), (false, 3, 0));
        // Of a clock that was wrong by years nothing is kept, or nobody would pass for years.
        assert!(quotas.spend(A, THREE, 1, 100 * HOUR, false).allowed);
        assert!(quotas.spend(A, THREE, 1, HOUR, false).allowed);
    }

    #[test]
    fn what_the_server_was_not_told_is_told_once() {
        let quotas = Quotas::default();
        quotas.spend(A, THREE, 2, 10, true);
        let known = quotas.tell(&A, false).unwrap();
        assert_eq!((known.used, known.untold), (0, 0));
        let told = quotas.tell(&A, true).unwrap();
        assert_eq!((told.used, told.untold), (2, 2));
        assert_eq!(quotas.tell(&A, true).unwrap().untold, 0);
        quotas.untell(&A, told);
        let told = quotas.tell(&A, true).unwrap();
        assert_eq!((told.used, told.untold), (2, 2));
        quotas.untell(&A, told);
        let known = Count {
            used: 5,
            untold: 0,
            ..told
        };
        quotas.learn(A, known, 10);
        // What it has counted, and the two that it does not know of.
        assert_eq!(used(quotas.spend(A, THREE, 1, 11, false)), (false, 7, 0));
        let less = Count { used: 1, ..known };
        quotas.learn(A, less, 11);
        assert_eq!(quotas.spend(A, THREE, 0, 11, false).used, 7);
        let corrected = Count { corrections: 1, ..less };
        quotas.learn(A, corrected, 11);
        quotas.learn(A, known, 11);
        assert_eq!(quotas.spend(A, THREE, 0, 11, false).used, 3);
    }

    #[test]
    fn s7_who_has_spent_most_is_not_forgotten_for_others() {
        let quotas = Quotas::default();
        assert!(quotas.spend(A, THREE, 3, 10, false).allowed);
        for number in 0..(SHARDS * MAX_COUNTS + SHARDS * 1000) as u128 {
            quotas.spend((number + (1 << 100)).to_be_bytes(), THREE, 1, 10, false);
        }
        assert!(!quotas.spend(A, THREE, 1, 11, false).allowed);
        let kept: usize = quotas.export(10).len();
        assert!(kept <= SHARDS * MAX_COUNTS, "{kept}");
        // All are over: what comes next sweeps them away.
        quotas.correct([2; 16], THREE, 1, 2 * HOUR);
        assert_eq!(quotas.export(2 * HOUR).len(), 1);
    }
}
