//! State in this process: exact for one gateway, gone when it stops.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatewright_core::{Problem, State, Step, Taken, TokenBucket};

/// Parts of the map, each with a lock of its own.
const SHARDS: usize = 64;
/// Buckets kept in a shard. Above that, those nearest to full make room.
const MAX_BUCKETS: usize = 32 * 1024;
/// Buckets looked at to find one that can go.
const EVICTION_SAMPLE: usize = 8;

/// State in this process.
///
/// A bucket is one number, by the generic cell rate algorithm: the time at which it will be full again. A bucket
/// whose time has passed is the same as none, which is what keeps the map small.
pub struct Embedded {
    started: Instant,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    // Nanoseconds since `started` at which the bucket is full.
    full_at: HashMap<Box<str>, u64>,
    sweep_at_len: usize,
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
        }
    }
}

impl State for Embedded {
    fn take<'a>(&'a self, limit: &str, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, Problem>> {
        Step::ready(Ok(self.take_at(limit, key, bucket, self.started.elapsed())))
    }
}

impl Embedded {
    fn take_at(&self, limit: &str, key: &str, bucket: TokenBucket, now: Duration) -> Taken {
        let name = format!("{limit}\0{key}").into_boxed_str();
        let index = self.hasher.hash_one(&name) as usize % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            return decide(0, 0, bucket).0;
        };
        // A panic elsewhere cannot leave a number half-written.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = nanoseconds(now);
        let full_at = shard.full_at.get(&name).copied().unwrap_or(0);
        let (taken, full_at) = decide(full_at, now, bucket);
        if taken.allowed {
            shard.make_room(now);
            shard.full_at.insert(name, full_at);
        }
        taken
    }

    /// Buckets that are kept.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).full_at.len())
            .sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn make_room(&mut self, now: u64) {
        if self.full_at.len() >= self.sweep_at_len.max(1024) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.full_at.shrink_to(self.full_at.len() * 2);
            self.sweep_at_len = self.full_at.len() * 2;
        }
        if self.full_at.len() >= MAX_BUCKETS {
            // The one that is nearest to full loses least by being forgotten: who uses up his bucket keeps it.
            let nearest = self
                .full_at
                .iter()
                .take(EVICTION_SAMPLE)
                .min_by_key(|(_, full_at)| **full_at);
            if let Some(name) = nearest.map(|(name, _)| name.clone()) {
                self.full_at.remove(&name);
            }
        }
    }
}

/// Takes a token at `now` from a bucket that is full at `full_at`, both in nanoseconds.
fn decide(full_at: u64, now: u64, bucket: TokenBucket) -> (Taken, u64) {
    let interval = nanoseconds(bucket.interval).max(1);
    let capacity = interval.saturating_mul(bucket.burst.max(1));
    let missing = full_at.saturating_sub(now);
    let after = missing.saturating_add(interval);
    if after > capacity {
        let retry_after = Duration::from_nanos(after - capacity);
        let taken = Taken {
            allowed: false,
            remaining: 0,
            retry_after,
            reset: Duration::from_nanos(missing),
        };
        return (taken, full_at);
    }
    let remaining = (capacity - after) / interval;
    let taken = Taken {
        allowed: true,
        remaining,
        retry_after: Duration::ZERO,
        reset: Duration::from_nanos(after),
    };
    (taken, now.saturating_add(after))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_SECOND: TokenBucket = TokenBucket {
        interval: Duration::from_millis(100),
        burst: 3,
    };

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let state = Embedded::default();
        let take = |ms| state.take_at("limit", "key", TEN_A_SECOND, Duration::from_millis(ms));
        assert_eq!(
            [take(0), take(0), take(0)].map(|taken| (taken.allowed, taken.remaining)),
            [(true, 2), (true, 1), (true, 0)]
        );
        let refused = take(0);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert_eq!(refused.reset, Duration::from_millis(300));
        assert!(take(100).allowed);
        assert!(!take(199).allowed);
        assert!(take(200).allowed);
    }

    #[test]
    fn never_more_than_burst_and_rate_allow() {
        let state = Embedded::default();
        let allowed = (0..10_000)
            .filter(|ms| {
                state
                    .take_at("limit", "key", TEN_A_SECOND, Duration::from_millis(*ms))
                    .allowed
            })
            .count();
        assert_eq!(allowed, 3 + 99);
    }

    #[test]
    fn buckets_of_different_limits_and_keys_are_apart() {
        let state = Embedded::default();
        for (limit, key) in [("a", "b"), ("a", "c"), ("b", "b"), ("ab", "")] {
            assert_eq!(
                state.take_at(limit, key, TEN_A_SECOND, Duration::ZERO).remaining,
                2,
                "{limit} {key}"
            );
        }
    }

    #[test]
    fn full_buckets_are_forgotten_and_the_number_is_bounded() {
        let state = Embedded::default();
        for number in 0..SHARDS * 4096 {
            state.take_at(
                "limit",
                &number.to_string(),
                TEN_A_SECOND,
                Duration::from_millis(number as u64),
            );
        }
        assert!(state.len() < SHARDS * 4096 / 2, "{}", state.len());
        let abuser = TokenBucket {
            interval: Duration::from_secs(3600),
            burst: 2,
        };
        for _ in 0..3 {
            state.take_at("limit", "abuser", abuser, Duration::ZERO);
        }
        for number in 0..SHARDS * MAX_BUCKETS * 2 {
            state.take_at("flood", &number.to_string(), TEN_A_SECOND, Duration::ZERO);
        }
        assert!(state.len() <= SHARDS * MAX_BUCKETS);
        assert!(!state.take_at("limit", "abuser", abuser, Duration::ZERO).allowed);
    }
}
