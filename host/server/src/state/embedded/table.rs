//! Entries of plugins: by key, each with a time at which it is gone, all together within a number of bytes.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use gatewright_core::{Space, StateError};

/// Parts of a table, each with a lock of its own.
const SHARDS: usize = 16;
/// What an entry costs besides its key and its value: hash table, pointers, allocator.
const ENTRY_BYTES: u64 = 128;
/// Entries looked at to find one that can go.
const EVICTION_SAMPLE: usize = 8;
/// Shards that these are from.
const EVICTION_SHARDS: usize = 4;
/// A table that is full is looked through for entries whose time is over, and not more often than this.
const SWEEP_INTERVAL_NANOS: u64 = 100_000_000;
/// How often an entry tries to get the room that was made for it, before others took it.
const ATTEMPTS: usize = 4;

/// The tables of all owners.
pub(super) struct Tables<V>(RwLock<HashMap<String, Arc<Table<V>>>>);

/// One owner's entries.
pub(super) struct Table<V> {
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<Box<str>, Kept<V>>>>,
    bytes: AtomicU64,
    /// When it may be swept again, in nanoseconds.
    next_sweep: AtomicU64,
    /// Which shard gives room next.
    next_eviction: AtomicUsize,
}

/// An entry.
pub(super) struct Kept<V> {
    pub(super) value: V,
    /// When it is gone, in nanoseconds; `u64::MAX` is never.
    pub(super) until: u64,
    bytes: u64,
}

/// What becomes of an entry.
pub(super) enum Change<V> {
    /// It stays as it is.
    None,
    /// It becomes this value, which takes so many bytes, until then.
    Put(V, u64, u64),
}

/// What the entries of a table may take.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// Bytes of all of them.
    pub(super) bytes: u64,
    /// Whether the ones that are nearest to their end make room for new ones. Or else new ones are refused.
    pub(super) evicts: bool,
}

impl<V> Default for Tables<V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<V> Tables<V> {
    /// The table of a space. There are as many as the configuration ever granted.
    pub(super) fn of(&self, space: Space<'_>) -> Arc<Table<V>> {
        let name = format!("{}\0{}", space.owner, space.name);
        let known = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
            .cloned();
        known.unwrap_or_else(|| {
            let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(name).or_default())
        })
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            bytes: AtomicU64::new(0),
            next_sweep: AtomicU64::new(0),
            next_eviction: AtomicUsize::new(0),
        }
    }
}

impl<V> Table<V> {
    /// One atomic step: `step` sees the entry, if there is one whose time is not over, and says what becomes of it. It
    /// is asked again when room had to be made first.
    ///
    /// # Errors
    /// When there is no room for what it becomes; then nothing is changed.
    pub(super) fn update<T>(
        &self,
        key: &str,
        now: u64,
        room: Room,
        mut step: impl FnMut(Option<&Kept<V>>) -> (T, Change<V>),
    ) -> Result<T, StateError> {
        for _ in 0..ATTEMPTS {
            let Some(mut shard) = self.shard(key) else {
                break;
            };
            let known = shard.get(key);
            let (result, change) = step(known.filter(|kept| kept.until > now));
            let Change::Put(value, value_bytes, until) = change else {
                return Ok(result);
            };
            let before = known.map_or(0, |kept| kept.bytes);
            let bytes = ENTRY_BYTES + key.len() as u64 + value_bytes;
            if self.reserve(before, bytes, room.bytes) {
                let kept = Kept { value, until, bytes };
                match shard.get_mut(key) {
                    Some(known) => *known = kept,
                    None => _ = shard.insert(key.into(), kept),
                }
                return Ok(result);
            }
            drop(shard);
            if bytes > room.bytes || !self.make_room(bytes, now, room) {
                break;
            }
        }
        Err(StateError::Full)
    }

    /// What there is to see of an entry, if there is one whose time is not over.
    pub(super) fn find<T>(&self, key: &str, now: u64, see: impl FnOnce(&V) -> T) -> Option<T> {
        let shard = self.shard(key)?;
        let kept = shard.get(key).filter(|kept| kept.until > now)?;
        Some(see(&kept.value))
    }

    /// Takes an entry away.
    pub(super) fn remove(&self, key: &str) {
        if let Some(kept) = self.shard(key).and_then(|mut shard| shard.remove(key)) {
            self.bytes.fetch_sub(kept.bytes, Ordering::Relaxed);
        }
    }

    /// What the entries take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn shard(&self, key: &str) -> Option<MutexGuard<'_, HashMap<Box<str>, Kept<V>>>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards.get(index).map(lock)
    }

    /// Counts `after` bytes instead of `before`, if they fit.
    fn reserve(&self, before: u64, after: u64, limit: u64) -> bool {
        let reserve = |bytes: u64| {
            let sum = bytes.saturating_sub(before).saturating_add(after);
            (sum <= limit || after <= before).then_some(sum)
        };
        self.bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve)
            .is_ok()
    }

    /// Tries to make room. Holds one lock at a time; what came free may be taken by others.
    fn make_room(&self, bytes: u64, now: u64, room: Room) -> bool {
        let missing = self.bytes.load(Ordering::Relaxed).saturating_add(bytes);
        let missing = missing.saturating_sub(room.bytes).max(1);
        self.sweep(now) > 0 || (room.evicts && self.evict(missing) > 0)
    }

    fn sweep(&self, now: u64) -> u64 {
        let due = |next: u64| (now >= next).then(|| now.saturating_add(SWEEP_INTERVAL_NANOS));
        if self
            .next_sweep
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
            .is_err()
        {
            return 0;
        }
        self.shards.iter().map(|shard| self.sweep_shard(shard, now)).sum()
    }

    fn sweep_shard(&self, shard: &Mutex<HashMap<Box<str>, Kept<V>>>, now: u64) -> u64 {
        let mut shard = lock(shard);
        let mut freed = 0;
        shard.retain(|_, kept| {
            let stays = kept.until > now;
            freed += if stays { 0 } else { kept.bytes };
            stays
        });
        let length = shard.len();
        shard.shrink_to(length * 2);
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        freed
    }

    fn evict(&self, bytes: u64) -> u64 {
        let mut freed = 0;
        // What others take away meanwhile costs a round.
        for _ in 0..SHARDS * 4 {
            freed += self.evict_one();
            if freed >= bytes {
                break;
            }
        }
        freed
    }

    /// Takes away the entry that is nearest to its end among some of several shards: one shard may hold nothing but
    /// what should stay longest.
    fn evict_one(&self) -> u64 {
        let first = self.next_eviction.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let shards = self.shards.iter().cycle().skip(first).take(SHARDS);
        let nearest = shards
            .filter_map(|shard| Some((shard, nearest(&lock(shard))?)))
            .take(EVICTION_SHARDS)
            .min_by_key(|(_, (until, _))| *until);
        let Some((shard, (_, key))) = nearest else { return 0 };
        let freed = lock(shard).remove(&key).map_or(0, |kept| kept.bytes);
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        freed
    }
}

/// The entry of a sample that is nearest to its end.
fn nearest<V>(shard: &HashMap<Box<str>, Kept<V>>) -> Option<(u64, Box<str>)> {
    let sample = shard.iter().take(EVICTION_SAMPLE);
    let (key, kept) = sample.min_by_key(|(_, kept)| kept.until)?;
    Some((kept.until, key.clone()))
}

/// A panic elsewhere cannot leave an entry half-written.
fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
