//! Which files there are, how large they are, and which one was not needed for the longest time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::resource_of;
use crate::cache::key::Key;
use crate::token::key_set::sha256;

/// The name of a file: what it is of, and its key's SHA-256, cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    pub(super) resource: u64,
    key: u128,
}

/// The files.
pub(super) struct Index {
    limit: u64,
    bytes: u64,
    /// Counts up with each use. What earlier processes have left was used before.
    uses: i64,
    files: HashMap<Name, Slot>,
    by_use: BTreeMap<(i64, Name), ()>,
    by_resource: BTreeSet<Name>,
}

struct Slot {
    bytes: u64,
    used: i64,
}

impl Name {
    pub(super) fn of(key: &Key) -> Self {
        let digest = sha256(&key.bytes);
        Self {
            resource: resource_of(&key.bytes),
            key: digest.first_chunk().map_or(0, |first| u128::from_le_bytes(*first)),
        }
    }

    /// All of one resource.
    pub(super) fn all_of(resource: u64) -> RangeInclusive<Self> {
        let key = |key| Self { resource, key };
        key(0)..=key(u128::MAX)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:032x}", self.resource, self.key)
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (resource, key) = text.split_once('-').ok_or(())?;
        let name = Self {
            resource: u64::from_str_radix(resource, 16).map_err(drop)?,
            key: u128::from_str_radix(key, 16).map_err(drop)?,
        };
        // Written in one way only.
        (name.to_string() == text).then_some(name).ok_or(())
    }
}

impl Index {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            uses: 0,
            files: HashMap::new(),
            by_use: BTreeMap::new(),
            by_resource: BTreeSet::new(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn has(&self, name: &Name) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn names(&self) -> Vec<Name> {
        self.by_resource.iter().copied().collect()
    }

    pub(super) fn of_resource(&self, resource: u64) -> Vec<Name> {
        self.by_resource.range(Name::all_of(resource)).copied().collect()
    }

    /// A file of an earlier process, unless this one has written it anew.
    pub(super) fn found(&mut self, name: Name, bytes: u64, modified: Option<SystemTime>) {
        if self.has(&name) {
            return;
        }
        let age = modified
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        // Before everything that is used from now on, the oldest first.
        let used = i64::try_from(age.as_millis())
            .unwrap_or_default()
            .saturating_sub(i64::MAX);
        self.insert(name, bytes, used);
    }

    pub(super) fn put(&mut self, name: Name, bytes: u64) {
        self.remove(&name);
        self.uses += 1;
        self.insert(name, bytes, self.uses);
    }

    fn insert(&mut self, name: Name, bytes: u64, used: i64) {
        self.bytes += bytes;
        self.files.insert(name, Slot { bytes, used });
        self.by_use.insert((used, name), ());
        self.by_resource.insert(name);
    }

    pub(super) fn use_again(&mut self, name: &Name) {
        self.uses += 1;
        if let Some(slot) = self.files.get_mut(name) {
            self.by_use.remove(&(slot.used, *name));
            slot.used = self.uses;
            self.by_use.insert((self.uses, *name), ());
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        if let Some(slot) = self.files.remove(name) {
            self.bytes -= slot.bytes;
            self.by_use.remove(&(slot.used, *name));
            self.by_resource.remove(name);
        }
    }

    /// Takes out the one that was not needed for the longest time, if there is more than there may be.
    pub(super) fn evict(&mut self) -> Option<Name> {
        if self.bytes <= self.limit {
            return None;
        }
        let ((_, name), ()) = self.by_use.first_key_value()?;
        let name = *name;
        self.remove(&name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn name(key: u128) -> Name {
        Name { resource: 7, key }
    }

    #[test]
    fn names_are_read_as_they_are_written_and_nothing_else_is() {
        let name = name(0xabc);
        assert_eq!(name.to_string().parse(), Ok(name));
        for wrong in [
            "",
            "lock",
            "7-abc",
            "0000000000000007-abc",
            "+000000000000007-00000000000000000000000000000abc",
        ] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_needed_for_the_longest_time_makes_room() {
        let mut index = Index::new(30);
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        index.found(name(1), 10, at(200));
        index.found(name(2), 10, at(100));
        index.put(name(3), 10);
        assert_eq!(index.evict(), None);
        index.use_again(&name(2));
        index.put(name(4), 10);
        assert_eq!((index.evict(), index.evict()), (Some(name(1)), None));
        index.put(name(4), 30);
        assert_eq!(
            (index.evict(), index.evict(), index.evict()),
            (Some(name(3)), Some(name(2)), None)
        );
        assert_eq!((index.bytes(), index.len()), (30, 1));
        assert_eq!(index.of_resource(7), [name(4)]);
        assert_eq!(index.of_resource(8), []);
        index.remove(&name(4));
        assert_eq!((index.bytes(), index.len()), (0, 0));
    }
}
