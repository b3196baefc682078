//! Places of limits on what runs at the same time, in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_core::{Counted, Lease, Leased};

/// How many are taken, by limit and key. What is in here is held by somebody, so it is bounded by what may run.
#[derive(Default)]
pub(super) struct Places(Arc<Mutex<HashMap<Box<str>, u64>>>);

/// Gives a place back.
struct Guard {
    places: Arc<Mutex<HashMap<Box<str>, u64>>>,
    name: Box<str>,
}

impl Places {
    /// Takes one of so many, if one is free.
    pub(super) fn lease(&self, limit: &str, key: &str, places: u64) -> Leased {
        let name = format!("{limit}\0{key}").into_boxed_str();
        // A panic elsewhere cannot leave a number half-written.
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&name).copied().unwrap_or(0);
        if count >= places {
            return Leased {
                lease: None,
                taken: count,
                counted: Counted::AsConfigured,
            };
        }
        taken.insert(name.clone(), count + 1);
        Leased {
            lease: Some(Lease::new(Guard {
                places: Arc::clone(&self.0),
                name,
            })),
            taken: count + 1,
            counted: Counted::AsConfigured,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped_and_nothing_is_kept_of_it() {
        let places = Places::default();
        let first = places.lease("a", "k", 2);
        let second = places.lease("a", "k", 2);
        assert_eq!((first.taken, second.taken), (1, 2));
        assert!(places.lease("a", "k", 2).lease.is_none());
        assert!(places.lease("a", "other", 2).lease.is_some());
        drop(first);
        assert!(places.lease("a", "k", 2).lease.is_some());
        drop(second);
        assert!(places.0.lock().unwrap().is_empty());
    }
}
