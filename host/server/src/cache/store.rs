//! What all routes keep: responses under their keys, within a bound of bytes, and who is fetching which.
//!
//! Shards with a short lock each. What a fetch will store is decided by the same lock that purges take: a fetch is entered
//! before it asks, what removes a response strikes out the fetches of it too, and only who is still entered stores. So what
//! was asked for before a change is never kept after it.

mod shard;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::header::HeaderMap;

use self::shard::{Change, Entry, Shard};
use super::disk::Disk;
use super::flight::{End, Flight};
use super::key::{Key, Target};
use super::purge::Wanted;
use super::stored::Stored;
use crate::telemetry::CacheMetrics;

/// Few enough to go through for what concerns several, many enough that workers hardly ever meet.
const SHARDS: usize = 64;

/// Kept responses.
pub struct Store {
    shards: Vec<Mutex<Shard>>,
    limit: AtomicU64,
    bytes: AtomicU64,
    /// Whose turn it is to make room.
    turn: AtomicUsize,
    /// Where more is kept than in memory.
    disk: Option<Arc<Disk>>,
    metrics: CacheMetrics,
}

/// Why nobody waits for others, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone {
    /// Until when.
    pub(super) until: Instant,
    /// It was an error: what may be served instead of one is, without asking again.
    pub(super) failed: bool,
}

/// A request that comes for what is kept.
pub(super) struct Entering<'a> {
    /// Its fields.
    pub(super) asked: &'a HeaderMap,
    /// The time.
    pub(super) now: Instant,
    /// What may be used as it is.
    pub(super) usable: &'a dyn Fn(&Stored) -> bool,
    /// What is stale may be used too, where it says so.
    pub(super) takes_stale: bool,
    /// It waits for another one who is fetching.
    pub(super) may_wait: bool,
    /// Others may wait for it, with what there is to ask about.
    pub(super) leads: &'a dyn Fn(Option<&Stored>) -> bool,
}

/// What becomes of a request for what is kept.
pub(super) enum Entered {
    /// This one may be used.
    Usable(Arc<Stored>),
    /// This one may be used though it is stale; it has to be fetched beside, unless somebody does already.
    Stale(Arc<Stored>, Option<Arc<Flight>>),
    /// Another request is fetching it.
    Wait(Arc<Flight>),
    /// It has to be fetched; what is there may be asked about.
    Fetch(Arc<Flight>, There),
}

/// What is there for a request that has to be passed on.
#[derive(Clone, Debug)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// Responses to the same question with other header fields, as far as `Vary` says.
    Others,
    /// This one, which may not be used as it is.
    This(Arc<Stored>),
}

/// Bytes that a response takes while it comes.
pub(super) struct Reservation {
    store: Arc<Store>,
    bytes: u64,
}

impl There {
    /// The one that is for the request.
    pub(super) fn this(&self) -> Option<&Arc<Stored>> {
        match self {
            Self::This(stored) => Some(stored),
            Self::Nothing | Self::Others => None,
        }
    }

    /// Why the request is passed on, in the words of RFC 9211.
    pub(super) fn why(&self) -> &'static str {
        match self {
            Self::Nothing => "uri-miss",
            Self::Others => "vary-miss",
            Self::This(_) => "stale",
        }
    }
}

impl Store {
    /// A store of at most so many bytes in memory.
    pub fn new(bytes: u64, disk: Option<Arc<Disk>>, metrics: CacheMetrics) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            limit: AtomicU64::new(bytes),
            bytes: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            disk,
            metrics,
        })
    }

    /// Another bound, which holds at once.
    pub fn resize(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
        self.make_room();
    }

    /// What is kept takes so many bytes, what is coming included.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where more is kept than in memory.
    pub(super) fn disk(&self) -> Option<&Arc<Disk>> {
        self.disk.as_ref()
    }

    /// Its numbers.
    pub fn metrics(&self) -> &CacheMetrics {
        &self.metrics
    }

    /// The response under a key to a request with these fields.
    pub(super) fn look(&self, key: &[u8], hash: u64, asked: &HeaderMap) -> Option<Arc<Stored>> {
        let mut shard = self.shard(hash);
        shard.find_mut(key, hash)?.select(asked)
    }

    /// The same, and if it is not usable, who fetches it.
    pub(super) fn enter(&self, key: &Key, entering: &Entering<'_>) -> Entered {
        let Entering {
            asked,
            now,
            usable,
            takes_stale,
            may_wait,
            leads,
        } = *entering;
        let mut shard = self.shard(key.hash);
        let entry = shard.find_mut(&key.bytes, key.hash);
        let alone = entry.as_ref().and_then(|entry| entry.alone);
        let alone = alone.filter(|alone| now < alone.until);
        let mut there = There::Nothing;
        if let Some(entry) = entry {
            there = entry.select(asked).map_or(There::Others, There::This);
            if entry.variants.is_empty() {
                there = There::Nothing;
            }
        }
        let known = there.this().cloned();
        let failed = alone.is_some_and(|alone| alone.failed);
        if let Some(stored) = known.as_ref().filter(|stored| usable(stored)) {
            return Entered::Usable(Arc::clone(stored));
        }
        if let Some(stored) = known.as_ref().filter(|_| takes_stale && failed)
            && stored.head.serves_instead_of_an_error(now)
        {
            return Entered::Stale(Arc::clone(stored), None);
        }
        let flights = shard.flights.get(&key.bytes).map_or(&[][..], Vec::as_slice);
        if let Some(stored) = known.as_ref().filter(|_| takes_stale)
            && stored.head.serves_while_revalidating(now)
        {
            let flight = flights.is_empty().then(|| shard.fly(key, true));
            return Entered::Stale(Arc::clone(stored), flight);
        }
        if let Some(flight) = flights
            .iter()
            .find(|flight| may_wait && alone.is_none() && flight.leads())
        {
            flight.is_waited_for();
            return Entered::Wait(Arc::clone(flight));
        }
        Entered::Fetch(shard.fly(key, leads(known.as_deref())), there)
    }

    /// Keeps what a fetch has brought, if it still counts.
    pub(super) fn keep(&self, key: &Key, flight: &Arc<Flight>, stored: Arc<Stored>, most_variants: usize) {
        let kept = {
            let mut shard = self.shard(key.hash);
            let entered = shard.leave(key, flight);
            if entered {
                let change = shard.put(key, stored, most_variants);
                self.count(change);
                self.write(key, &mut shard);
            }
            entered
        };
        flight.end(if kept { End::Kept } else { End::Gone });
        if kept {
            self.make_room();
        }
    }

    /// Takes what the disk has under a key into memory, if it still counts.
    pub(super) fn restore(&self, key: &Key, flight: &Arc<Flight>, variants: Vec<Stored>, most_variants: usize) {
        {
            let mut shard = self.shard(key.hash);
            // What has come meanwhile is younger.
            if shard.leave(key, flight) && shard.place(&key.bytes, key.hash).is_none() {
                for stored in variants {
                    let change = shard.put(key, Arc::new(stored), most_variants);
                    self.count(change);
                }
            }
        }
        // Who waited looks again.
        flight.end(End::Gone);
        self.make_room();
    }

    /// Has the disk keep what memory keeps under a key. Within the lock: what is removed later is asked to be removed later.
    fn write(&self, key: &Key, shard: &mut Shard) {
        let Some(disk) = &self.disk else { return };
        match shard.find_mut(&key.bytes, key.hash) {
            Some(entry) if !entry.variants.is_empty() => disk.write(key, entry.variants.clone()),
            _ => disk.remove(key),
        }
    }

    /// A fetch has brought what cannot be kept: for a while nobody waits for others under this key. What was there is not the
    /// answer any more where `replaces` says so.
    pub(super) fn refuse(&self, key: &Key, flight: &Arc<Flight>, alone: Alone, replaces: Option<&Arc<Stored>>) {
        {
            let mut shard = self.shard(key.hash);
            // Of what only this request wanted nobody learns anything, and what nobody waits for needs no mark.
            let entered = shard.leave(key, flight);
            let matters = flight.was_waited_for() || shard.place(&key.bytes, key.hash).is_some();
            if entered && flight.leads() && matters {
                let change = shard.mark_alone(key, alone, replaces);
                self.count(change);
                if replaces.is_some() {
                    self.write(key, &mut shard);
                }
            }
        }
        flight.end(End::Refused);
        self.make_room();
    }

    /// A fetch is over and has brought nothing.
    pub(super) fn abandon(&self, key: &Key, flight: &Arc<Flight>) {
        self.shard(key.hash).leave(key, flight);
        flight.end(End::Gone);
    }

    /// Forgets all responses of a resource, whatever their keys, and what is being fetched of it.
    pub(super) fn invalidate(&self, resource: u64) -> u64 {
        self.remove(&|disk: &Disk| disk.invalidate(resource), |shard| {
            let range = (resource, 0)..=(resource, usize::MAX);
            let places: Vec<_> = shard.resources.range(range).map(|(_, place)| *place).collect();
            shard.strike_out(|_, flight_resource| flight_resource == resource);
            places
        })
    }

    /// Forgets all responses that are meant, and what is being fetched of them. How many in memory that were.
    pub(super) fn purge(&self, wanted: &Wanted) -> u64 {
        let is_meant = |key: &[u8]| Target::of(key).is_some_and(|target| wanted.is_of_key(&target));
        let removed = self.remove(&|disk: &Disk| disk.purge(wanted), |shard| {
            shard.strike_out(|key, _| wanted.may_be_any() || is_meant(key));
            let entries = shard.entries.iter().enumerate();
            let meant = entries.filter(|(_, entry)| {
                let variants = |entry: &Entry| entry.variants.iter().any(|stored| wanted.is_of_response(stored));
                entry
                    .as_ref()
                    .is_some_and(|entry| is_meant(&entry.key.bytes) || variants(entry))
            });
            meant.map(|(place, _)| place).collect()
        });
        if let Some(disk) = &self.disk {
            disk.write_down();
        }
        removed
    }

    /// Removes what is found in each shard. How many responses that were. With a disk nothing is kept between what that is told
    /// and what memory forgets: all shards are locked then, always in the same order.
    fn remove(&self, on_disk: &dyn Fn(&Disk), find: impl Fn(&mut Shard) -> Vec<usize>) -> u64 {
        let take = |shard: &mut Shard| {
            let mut removed = 0;
            for place in find(shard) {
                if let Some(entry) = shard.take(place) {
                    removed += entry.variants.len() as u64;
                    self.count(Change::of(-1, 0, entry.weight));
                }
            }
            removed
        };
        match &self.disk {
            None => self.shards.iter().map(|shard| take(&mut lock(shard))).sum(),
            Some(disk) => {
                let mut shards: Vec<_> = self.shards.iter().map(lock).collect();
                on_disk(disk);
                shards.iter_mut().map(|shard| take(shard)).sum()
            }
        }
    }

    /// Lets those go that nobody asks for, of one shard after another, until there is no more than there may be.
    fn make_room(&self) {
        // In the second round at the latest there is one that nobody has asked for since the first.
        let mut empty = 0;
        while self.bytes() > self.limit.load(Ordering::Relaxed) && empty < 2 * SHARDS {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
            match self.shards.get(turn).and_then(|shard| lock(shard).evict()) {
                Some(entry) => {
                    self.metrics.evicted();
                    self.count(Change::of(-1, 0, entry.weight));
                    empty = 0;
                }
                None => empty += 1,
            }
        }
    }

    fn count(&self, change: Change) {
        self.bytes.fetch_add(change.added, Ordering::Relaxed);
        self.bytes.fetch_sub(change.removed, Ordering::Relaxed);
        self.metrics.entries(change.entries);
        self.metrics.bytes(self.bytes());
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // There always is one: the index is within bounds.
        #[expect(clippy::indexing_slicing, reason = "`index` is below the number of shards")]
        lock(&self.shards[index(hash)])
    }
}

fn index(hash: u64) -> usize {
    // The table within a shard uses the lowest and the highest bits.
    usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or_default()
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reservation {
    /// Of nothing yet.
    pub(super) fn new(store: &Arc<Store>) -> Self {
        Self {
            store: Arc::clone(store),
            bytes: 0,
        }
    }

    /// Of so many bytes more. Whether there is room: what is kept makes some, what is coming does not.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        self.store.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        self.store.make_room();
        self.store.metrics.bytes(self.store.bytes());
        self.store.bytes() <= self.store.limit.load(Ordering::Relaxed)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.store.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.store.metrics.bytes(self.store.bytes());
    }
}

#[cfg(test)]
mod tests;
