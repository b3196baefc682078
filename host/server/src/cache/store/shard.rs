//! One part of the store: entries within one lock, the fetches of their keys, and who has to make room.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use hashbrown::HashTable;
use http::header::HeaderMap;

use super::Alone;
use crate::cache::flight::{End, Flight};
use crate::cache::key::{Key, Target};
use crate::cache::stored::Stored;

/// What an entry takes beside its responses.
const ENTRY: u64 = 256;

/// Entries within one lock.
#[derive(Default)]
pub(super) struct Shard {
    /// Places of entries, by the hash of their key.
    table: HashTable<usize>,
    pub(super) entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// Places of entries, by what they are of.
    pub(super) resources: BTreeSet<(u64, usize)>,
    /// Where the next one to make room is looked for.
    hand: usize,
    pub(super) flights: HashMap<Arc<[u8]>, Vec<Arc<Flight>>>,
}

/// What is kept under one key.
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) variants: Vec<Arc<Stored>>,
    /// Until when nobody waits for others: what came the last time could not be kept.
    pub(super) alone: Option<Alone>,
    pub(super) weight: u64,
    /// Somebody has asked for it since the hand came by.
    used: bool,
}

/// What has become more and less.
#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) entries: i64,
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl Change {
    pub(super) fn of(entries: i64, added: u64, removed: u64) -> Self {
        Self {
            entries,
            added,
            removed,
        }
    }
}

impl Shard {
    pub(super) fn find_mut(&mut self, key: &[u8], hash: u64) -> Option<&mut Entry> {
        let place = self.place(key, hash)?;
        self.entries.get_mut(place)?.as_mut()
    }

    pub(super) fn place(&self, key: &[u8], hash: u64) -> Option<usize> {
        let is_it = |place: &usize| matches!(self.entries.get(*place), Some(Some(entry)) if *entry.key.bytes == *key);
        self.table.find(hash, is_it).copied()
    }

    /// The entry of a key, new if there is none.
    fn entry(&mut self, key: &Key) -> (&mut Option<Entry>, bool) {
        let known = self.place(&key.bytes, key.hash);
        let place = known.unwrap_or_else(|| {
            let place = self.free.pop().unwrap_or_else(|| {
                self.entries.push(None);
                self.entries.len() - 1
            });
            let entries = &self.entries;
            let hash = |place: &usize| {
                entries
                    .get(*place)
                    .and_then(Option::as_ref)
                    .map_or(0, |entry| entry.key.hash)
            };
            self.table.insert_unique(key.hash, place, hash);
            self.resources.insert((key.resource, place));
            place
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "places in the table, and new ones, are places of entries"
        )]
        (&mut self.entries[place], known.is_none())
    }

    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Entry)) -> Change {
        let (slot, is_new) = self.entry(key);
        let entry = slot.get_or_insert_with(|| Entry {
            key: key.clone(),
            variants: Vec::new(),
            alone: None,
            weight: 0,
            used: true,
        });
        let before = entry.weight;
        change(entry);
        let variants: u64 = entry.variants.iter().map(|stored| stored.weight()).sum();
        entry.weight = ENTRY + entry.key.bytes.len() as u64 + variants;
        Change::of(i64::from(is_new), entry.weight, before)
    }

    pub(super) fn put(&mut self, key: &Key, stored: Arc<Stored>, most_variants: usize) -> Change {
        self.change(key, |entry| {
            entry.alone = None;
            entry.variants.retain(|known| !known.head.is_for_the_same(&stored.head));
            // The oldest ones make room.
            let surplus = (entry.variants.len() + 1).saturating_sub(most_variants.max(1));
            entry.variants.drain(..surplus.min(entry.variants.len()));
            entry.variants.push(stored);
        })
    }

    pub(super) fn mark_alone(&mut self, key: &Key, alone: Alone, replaces: Option<&Arc<Stored>>) -> Change {
        self.change(key, |entry| {
            entry.alone = Some(alone);
            // A mark makes room before any response does.
            entry.used &= !entry.variants.is_empty();
            if let Some(replaced) = replaces {
                entry.variants.retain(|known| !Arc::ptr_eq(known, replaced));
            }
        })
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Entry> {
        let entry = self.entries.get_mut(place)?.take()?;
        if let Ok(found) = self.table.find_entry(entry.key.hash, |other| *other == place) {
            found.remove();
        }
        self.resources.remove(&(entry.key.resource, place));
        self.free.push(place);
        Some(entry)
    }

    /// Takes the next one out that nobody has asked for since the hand came by the last time: the clock algorithm. None
    /// when all have been asked for, once.
    pub(super) fn evict(&mut self) -> Option<Entry> {
        for _ in 0..self.entries.len() {
            let place = self.hand;
            self.hand = if place + 1 < self.entries.len() { place + 1 } else { 0 };
            match self.entries.get_mut(place) {
                Some(Some(entry)) if entry.used => entry.used = false,
                Some(Some(_)) => return self.take(place),
                Some(None) | None => {}
            }
        }
        None
    }

    /// Enters a fetch.
    pub(super) fn fly(&mut self, key: &Key, leads: bool) -> Arc<Flight> {
        let flight = Arc::new(Flight::new(leads));
        let flights = self.flights.entry(Arc::clone(&key.bytes)).or_default();
        flights.push(Arc::clone(&flight));
        flight
    }

    /// Strikes a fetch out. Whether it was still entered.
    pub(super) fn leave(&mut self, key: &Key, flight: &Arc<Flight>) -> bool {
        let Some(flights) = self.flights.get_mut(&key.bytes) else {
            return false;
        };
        let before = flights.len();
        flights.retain(|other| !Arc::ptr_eq(other, flight));
        let entered = flights.len() < before;
        if flights.is_empty() {
            self.flights.remove(&key.bytes);
        }
        entered
    }

    /// Strikes fetches out, by key and resource. Who waits for one looks again.
    pub(super) fn strike_out(&mut self, is_meant: impl Fn(&[u8], u64) -> bool) {
        self.flights.retain(|key, flights| {
            let resource = Target::of(key).map_or(0, |target| target.resource());
            let meant = is_meant(key, resource);
            if meant {
                flights.iter().for_each(|flight| flight.end(End::Gone));
            }
            !meant
        });
    }
}

impl Entry {
    pub(super) fn select(&mut self, asked: &HeaderMap) -> Option<Arc<Stored>> {
        let found = self.variants.iter().find(|stored| stored.head.is_for(asked));
        self.used |= found.is_some();
        found.cloned()
    }
}
