//! State in this process: exact for one gateway, gone when it stops. What plugins keep is bounded for each of them, so
//! that none of them costs another one, or a stage, its entries.

mod table;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::{Entry, Expected, Problem, Space, State, StateError, Step, Taken, TokenBucket};

use self::table::{Change, Room, Tables};

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
    /// No time passes: for tests of plugins.
    stands_still: bool,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    counters: Tables<Counter>,
    entries: Tables<Entry>,
    remembered: Tables<Bytes>,
    /// Of all entries: so that a key that was deleted does not get a revision that it had.
    revision: AtomicU64,
}

/// What a plugin counts under a key. The number of a bucket is the time at which its entry is gone.
enum Counter {
    Window(i64),
    Bucket,
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
            stands_still: false,
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            counters: Tables::default(),
            entries: Tables::default(),
            remembered: Tables::default(),
            revision: AtomicU64::new(0),
        }
    }
}

impl State for Embedded {
    fn take<'a>(&'a self, limit: &str, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, Problem>> {
        Step::ready(Ok(self.take_at(limit, key, bucket, self.now())))
    }

    fn take_many<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
    ) -> Step<'a, Result<Taken, StateError>> {
        Step::ready(self.take_many_at(space, key, tokens, bucket, self.now()))
    }

    fn add<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
    ) -> Step<'a, Result<i64, StateError>> {
        Step::ready(self.add_at(space, key, delta, window, self.now()))
    }

    fn get<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Entry>, StateError>> {
        Step::ready(Ok(self.get_at(space, key, self.now())))
    }

    fn put<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>> {
        Step::ready(self.put_at(space, key, expected, &value, ttl, self.now()))
    }

    fn delete<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.entries.of(space).remove(key);
        Step::ready(Ok(()))
    }

    fn recall<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Bytes>, StateError>> {
        Step::ready(Ok(self.recall_at(space, key, self.now())))
    }

    fn remember<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Step<'a, Result<(), StateError>> {
        Step::ready(self.remember_at(space, key, &value, ttl, self.now()))
    }

    fn forget<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.remembered.of(space).remove(key);
        Step::ready(Ok(()))
    }
}

impl Embedded {
    /// State for which no time passes: nothing ends, and no bucket is refilled.
    pub fn standing_still() -> Self {
        Self {
            stands_still: true,
            ..Self::default()
        }
    }

    fn now(&self) -> Duration {
        match self.stands_still {
            true => Duration::ZERO,
            false => self.started.elapsed(),
        }
    }

    fn take_at(&self, limit: &str, key: &str, bucket: TokenBucket, now: Duration) -> Taken {
        let name = format!("{limit}\0{key}").into_boxed_str();
        let index = self.hasher.hash_one(&name) as usize % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            return decide(0, 0, bucket, 1).0;
        };
        // A panic elsewhere cannot leave a number half-written.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = nanoseconds(now);
        let full_at = shard.full_at.get(&name).copied().unwrap_or(0);
        let (taken, full_at) = decide(full_at, now, bucket, 1);
        if taken.allowed {
            shard.make_room(now);
            shard.full_at.insert(name, full_at);
        }
        taken
    }

    fn take_many_at(
        &self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
        now: Duration,
    ) -> Result<Taken, StateError> {
        let now = nanoseconds(now);
        // Windows and buckets of one name have nothing in common.
        let key = format!("b{key}");
        self.counters.of(space).update(&key, now, room(space), |found| {
            let full_at = found.map_or(0, |found| found.until);
            let (taken, full_at) = decide(full_at, now, bucket, tokens);
            let change = if taken.allowed && tokens > 0 {
                Change::Put(Counter::Bucket, 0, full_at)
            } else {
                Change::None
            };
            (taken, change)
        })
    }

    fn add_at(
        &self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
        now: Duration,
    ) -> Result<i64, StateError> {
        let now = nanoseconds(now);
        let key = format!("w{key}");
        self.counters.of(space).update(&key, now, room(space), |found| {
            let (count, until) = match found {
                Some(found) => match found.value {
                    Counter::Window(count) => (count, found.until),
                    Counter::Bucket => (0, found.until),
                },
                None => (0, now.saturating_add(nanoseconds(window))),
            };
            let count = count.saturating_add(delta);
            (count, Change::Put(Counter::Window(count), 0, until))
        })
    }

    fn get_at(&self, space: Space<'_>, key: &str, now: Duration) -> Option<Entry> {
        self.entries.of(space).find(key, nanoseconds(now), Entry::clone)
    }

    fn put_at(
        &self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: &Bytes,
        ttl: Option<Duration>,
        now: Duration,
    ) -> Result<Option<u64>, StateError> {
        let now = nanoseconds(now);
        let until = ttl.map_or(u64::MAX, |ttl| now.saturating_add(nanoseconds(ttl)));
        let room = Room {
            bytes: space.bytes,
            // A session that is lost is worse than one that does not begin.
            evicts: false,
        };
        self.entries.of(space).update(key, now, room, |found| {
            let found = found.map(|kept| kept.value.revision);
            let holds = match expected {
                Expected::Anything => true,
                Expected::Absent => found.is_none(),
                Expected::Revision(revision) => found == Some(revision),
            };
            if !holds {
                return (None, Change::None);
            }
            let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
            let entry = Entry {
                value: value.clone(),
                revision,
            };
            (Some(revision), Change::Put(entry, value.len() as u64, until))
        })
    }

    fn recall_at(&self, space: Space<'_>, key: &str, now: Duration) -> Option<Bytes> {
        self.remembered.of(space).find(key, nanoseconds(now), Bytes::clone)
    }

    fn remember_at(
        &self,
        space: Space<'_>,
        key: &str,
        value: &Bytes,
        ttl: Duration,
        now: Duration,
    ) -> Result<(), StateError> {
        let now = nanoseconds(now);
        let until = now.saturating_add(nanoseconds(ttl));
        self.remembered.of(space).update(key, now, room(space), |_| {
            ((), Change::Put(value.clone(), value.len() as u64, until))
        })
    }

    /// Buckets of stages that are kept.
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

/// Counts make room for each other, and so do values that can be computed again: the one that is nearest to its end,
/// or to full, loses least.
fn room(space: Space<'_>) -> Room {
    Room {
        bytes: space.bytes,
        evicts: true,
    }
}

/// Takes `tokens` at `now` from a bucket that is full at `full_at`, both in nanoseconds.
fn decide(full_at: u64, now: u64, bucket: TokenBucket, tokens: u64) -> (Taken, u64) {
    let interval = nanoseconds(bucket.interval).max(1);
    let capacity = interval.saturating_mul(bucket.burst.max(1));
    let missing = full_at.saturating_sub(now);
    let after = missing.saturating_add(interval.saturating_mul(tokens));
    if after > capacity {
        let taken = Taken {
            allowed: false,
            remaining: capacity.saturating_sub(missing) / interval,
            retry_after: Duration::from_nanos(after - capacity),
            reset: Duration::from_nanos(missing),
        };
        return (taken, full_at);
    }
    let taken = Taken {
        allowed: true,
        remaining: (capacity - after) / interval,
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

    fn space(owner: &'static str, name: &'static str) -> Space<'static> {
        Space {
            owner,
            name,
            bytes: 64 << 10,
        }
    }

    #[test]
    fn tokens_are_taken_all_or_none() {
        let state = Embedded::default();
        let take = |tokens, ms| {
            let now = Duration::from_millis(ms);
            let taken = state.take_many_at(space("a", "a"), "key", tokens, TEN_A_SECOND, now);
            let taken = taken.unwrap();
            (taken.allowed, taken.remaining, taken.retry_after.as_millis())
        };
        assert_eq!(take(2, 0), (true, 1, 0));
        assert_eq!(take(2, 0), (false, 1, 100));
        assert_eq!(take(0, 0), (true, 1, 0));
        assert_eq!(take(2, 100), (true, 0, 0));
        assert_eq!(take(3, 100), (false, 0, 300));
    }

    #[test]
    fn a_window_begins_with_the_first_count_and_ends_with_it() {
        let state = Embedded::default();
        let add = |delta, ms| {
            let window = Duration::from_millis(100);
            let now = Duration::from_millis(ms);
            state.add_at(space("a", "a"), "key", delta, window, now).unwrap()
        };
        assert_eq!([add(1, 50), add(2, 100), add(-4, 149)], [1, 3, -1]);
        assert_eq!(
            [add(1, 150), add(i64::MAX, 151), add(i64::MAX, 152)],
            [1, i64::MAX, i64::MAX]
        );
    }

    #[test]
    fn owners_and_names_have_counters_of_their_own() {
        let state = Embedded::default();
        let spaces = [("a", "b"), ("a", "c"), ("b", "b"), ("ab", ""), ("", "ab")];
        for (owner, name) in spaces {
            let space = space(owner, name);
            assert_eq!(
                state.add_at(space, "k", 1, Duration::from_secs(1), Duration::ZERO),
                Ok(1)
            );
            // A bucket of the same key is another thing.
            let taken = state.take_many_at(space, "k", 3, TEN_A_SECOND, Duration::ZERO);
            assert!(taken.unwrap().allowed);
        }
    }

    #[test]
    fn a_value_is_changed_by_whoever_knows_its_revision() {
        let state = Embedded::default();
        let put = |expected, value: &'static str, ttl: Option<u64>, ms| {
            let ttl = ttl.map(Duration::from_millis);
            let now = Duration::from_millis(ms);
            state.put_at(
                space("a", "a"),
                "k",
                expected,
                &Bytes::from_static(value.as_bytes()),
                ttl,
                now,
            )
        };
        let get = |ms| state.get_at(space("a", "a"), "k", Duration::from_millis(ms));
        let first = put(Expected::Absent, "a", Some(100), 0).unwrap().unwrap();
        assert_eq!(put(Expected::Absent, "b", None, 99), Ok(None));
        assert_eq!(get(99).unwrap().value, "a");
        assert_eq!(get(100), None);
        let second = put(Expected::Absent, "b", None, 100).unwrap().unwrap();
        assert!(second > first);
        assert_eq!(put(Expected::Revision(first), "c", None, 100), Ok(None));
        let third = put(Expected::Revision(second), "c", None, 100).unwrap().unwrap();
        assert!(matches!(state.delete(space("a", "a"), "k"), Step::Ready(Some(Ok(())))));
        assert_eq!(get(100), None);
        assert!(put(Expected::Anything, "d", None, 100).unwrap().unwrap() > third);
        assert_eq!(state.get_at(space("b", "a"), "k", Duration::ZERO), None);
    }

    #[test]
    fn a_store_that_is_full_takes_what_has_room_and_forgets_nothing() {
        let state = Embedded::default();
        let put = |key: &str, bytes: usize, ttl: Option<u64>, ms| {
            let (ttl, now) = (ttl.map(Duration::from_millis), Duration::from_millis(ms));
            let value = Bytes::from(vec![0; bytes]);
            state.put_at(space("a", "a"), key, Expected::Anything, &value, ttl, now)
        };
        put("kept", 30 << 10, None, 0).unwrap();
        put("short", 30 << 10, Some(200), 0).unwrap();
        assert_eq!(put("more", 30 << 10, None, 0), Err(StateError::Full));
        // What is there may change within its room.
        put("kept", 29 << 10, None, 100).unwrap();
        assert_eq!(put("more", 30 << 10, None, 100), Err(StateError::Full));
        put("more", 30 << 10, None, 200).unwrap();
        assert!(
            state
                .get_at(space("a", "a"), "kept", Duration::from_millis(200))
                .is_some()
        );
        assert_eq!(put("huge", 1 << 20, None, 1_000), Err(StateError::Full));
        assert!(state.entries.of(space("a", "a")).bytes() <= 64 << 10);
    }

    #[test]
    fn what_is_remembered_makes_room_by_its_end_and_is_no_entry() {
        let state = Embedded::default();
        let at = Duration::from_secs;
        let remember = |key: &str, bytes: usize, ttl, now| {
            state.remember_at(space("a", "a"), key, &Bytes::from(vec![0; bytes]), at(ttl), at(now))
        };
        let recall = |key: &str, now| state.recall_at(space("a", "a"), key, at(now)).map(|value| value.len());
        remember("long", 20 << 10, 1_000, 0).unwrap();
        remember("short", 20 << 10, 100, 0).unwrap();
        assert_eq!(
            (recall("long", 99), recall("short", 99)),
            (Some(20 << 10), Some(20 << 10))
        );
        assert_eq!((recall("long", 999), recall("short", 100)), (Some(20 << 10), None));
        remember("more", 30 << 10, 500, 50).unwrap();
        assert_eq!(
            (recall("long", 50), recall("short", 50), recall("more", 50)),
            (Some(20 << 10), None, Some(30 << 10))
        );
        assert_eq!(remember("huge", 1 << 20, 1, 50), Err(StateError::Full));
        assert_eq!(recall("more", 50), Some(30 << 10));
        assert_eq!(state.get_at(space("a", "a"), "long", at(50)), None);
        assert!(matches!(
            state.forget(space("a", "a"), "long"),
            Step::Ready(Some(Ok(())))
        ));
        assert_eq!(recall("long", 50), None);
        assert!(state.remembered.of(space("a", "a")).bytes() <= 64 << 10);
    }

    #[test]
    fn counts_of_many_threads_are_exact() {
        let state = Embedded::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..1_000 {
                        let key = (n % 3).to_string();
                        let day = Duration::from_secs(86_400);
                        state.add_at(space("a", "a"), &key, 1, day, Duration::ZERO).unwrap();
                    }
                });
            }
        });
        let sum: i64 = (0..3)
            .map(|key| {
                let key = key.to_string();
                state
                    .add_at(space("a", "a"), &key, 0, Duration::ZERO, Duration::ZERO)
                    .unwrap()
            })
            .sum();
        assert_eq!(sum, 4_000);
    }

    #[test]
    fn a_flood_of_keys_costs_its_owner_alone_and_leaves_the_longest_counts() {
        let state = Embedded::default();
        let add = |space, key: &str, window| {
            let window = Duration::from_secs(window);
            state.add_at(space, key, 1, window, Duration::ZERO).unwrap()
        };
        add(space("quiet", "a"), "key", 60);
        add(space("noisy", "a"), "long", 86_400);
        for number in 0..100_000 {
            add(space("noisy", "a"), &number.to_string(), 60);
        }
        assert!(state.counters.of(space("noisy", "a")).bytes() <= 64 << 10);
        assert_eq!(add(space("quiet", "a"), "key", 60), 2);
        assert_eq!(add(space("noisy", "a"), "long", 60), 2);
    }
}
