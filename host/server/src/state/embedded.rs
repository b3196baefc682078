//! State in this process: exact for one gateway, gone when it stops. What plugins keep is bounded for each of them, so
//! that none of them costs another one, or a stage, its entries.

mod places;
mod quotas;
mod table;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use gatewright_core::{
    Counted, Entry, Expected, Leased, Limit, Quota, Space, Spent, State, StateError, Step, Taken, TokenBucket,
};

use self::places::Places;
use self::quotas::Quotas;
pub use self::quotas::{Count, CountId};
use self::table::{Change, Room, Tables};
use super::digest;

/// Parts of the map, each with a lock of its own.
const SHARDS: usize = 64;
/// Buckets kept in a shard. Above that, those nearest to full make room.
const MAX_BUCKETS: usize = 32 * 1024;
/// Buckets that are full are looked for this often, if there were not too many before.
const SWEEP_INTERVAL_NANOS: u64 = 60_000_000_000;
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
    quotas: Quotas,
    places: Places,
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
    /// Nanoseconds since `started`.
    sweep_at: u64,
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            stands_still: false,
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            quotas: Quotas::default(),
            places: Places::default(),
            counters: Tables::default(),
            entries: Tables::default(),
            remembered: Tables::default(),
            revision: AtomicU64::new(0),
        }
    }
}

impl State for Embedded {
    fn take<'a>(&'a self, limit: Limit<'_>, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        Step::ready(Ok(self.take_now(limit.name, key, bucket)))
    }

    fn spend<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let id = digest(&[limit.name, key]);
        Step::ready(Ok(self.quotas.spend(id, quota, requests, self.calendar(), false)))
    }

    fn correct<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let id = digest(&[limit.name, key]);
        Step::ready(Ok(self.quotas.correct(id, quota, used, self.calendar())))
    }

    fn lease<'a>(&'a self, limit: Limit<'_>, key: &str, places: u64) -> Step<'a, Result<Leased, StateError>> {
        Step::ready(Ok(self.lease_now(limit.name, key, places)))
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

    /// Seconds since 1970.
    fn calendar(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        match self.stands_still {
            true => 0,
            false => since.map_or(0, |since| since.as_secs()),
        }
    }

    /// [`State::take`], which is done at once.
    pub(super) fn take_now(&self, limit: &str, key: &str, bucket: TokenBucket) -> Taken {
        self.take_at(limit, key, bucket, self.now())
    }

    /// [`State::lease`], which is done at once.
    pub(super) fn lease_now(&self, limit: &str, key: &str, places: u64) -> Leased {
        self.places.lease(limit, key, places)
    }

    /// Spends what the shared server will be told of when it answers again.
    pub(super) fn spend_untold(&self, id: CountId, quota: Quota, requests: u64) -> Spent {
        Spent {
            counted: Counted::Locally,
            ..self.quotas.spend(id, quota, requests, self.calendar(), true)
        }
    }

    /// What is known of a count, to tell the shared server; `all` also what it has not been told.
    pub(super) fn tell(&self, id: &CountId, all: bool) -> Option<Count> {
        self.quotas.tell(id, all)
    }

    /// The shared server was not told after all.
    pub(super) fn untell(&self, id: &CountId, told: Count) {
        self.quotas.untell(id, told);
    }

    /// What the shared server says of a count.
    pub(super) fn learn(&self, id: CountId, count: Count) {
        self.quotas.learn(id, count, self.calendar());
    }

    /// The counts of quotas, to be written down; none when nothing was counted since they were asked for.
    pub(super) fn changed_counts(&self) -> Option<Vec<(CountId, Count)>> {
        self.quotas.take_changed().then(|| self.quotas.export(self.calendar()))
    }

    /// Counts that were written down.
    pub fn restore(&self, counts: impl IntoIterator<Item = (CountId, Count)>) {
        let now = self.calendar();
        for (id, count) in counts {
            self.quotas.import(id, count, now);
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
        if self.full_at.len() >= self.sweep_at_len.max(1024) || now >= self.sweep_at {
            self.sweep_at = now.saturating_add(SWEEP_INTERVAL_NANOS);
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
            counted: Counted::AsConfigured,
        };
        return (taken, full_at);
    }
    let taken = Taken {
        allowed: true,
        remaining: (capacity - after) / interval,
        retry_after: Duration::ZERO,
        reset: Duration::from_nanos(after),
        counted: Counted::AsConfigured,
    };
    (taken, now.saturating_add(after))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
