//! Who computes which value of a cache, and who waits for it: one call a key, in this process. What was computed is
//! kept elsewhere, by `gatewright_core::State`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

/// The leases of all plugins.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<Arc<str>, Cache>>);

/// What is computed for one cache of one plugin. There are as many as the configuration ever granted.
#[derive(Default)]
struct Cache {
    /// Calls that wait, for all keys.
    waiting: usize,
    /// Tells those who wait apart.
    number: u64,
    /// Keys whose values are being computed, and who waits for them.
    keys: HashMap<Arc<str>, VecDeque<Waiter>>,
}

struct Waiter {
    number: u64,
    tell: oneshot::Sender<News>,
}

/// What those who wait are told.
enum News {
    Value(Bytes),
    YourTurn,
}

/// A value: of a plugin's cache, under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    cache: Arc<str>,
    key: Arc<str>,
}

/// What asking for a lease came to.
pub(crate) enum Joined {
    /// Nobody else computes the value.
    Lease(Lease),
    /// Somebody does.
    Waiting(Waiting),
    /// Somebody does, and as many wait as may.
    Full,
}

/// What waiting came to.
pub(crate) enum Told {
    /// The value was computed.
    Value(Bytes),
    /// It was not, and now it is for this call to do.
    Lease(Lease),
}

/// The right to compute a value while others wait. Dropped, it is the next one's.
pub(crate) struct Lease {
    leases: Arc<Leases>,
    subject: Subject,
}

/// A place among those who wait.
pub(crate) struct Waiting {
    leases: Arc<Leases>,
    subject: Subject,
    number: u64,
    told: oneshot::Receiver<News>,
}

impl Subject {
    pub(crate) fn new(plugin: &str, cache: &str, key: &str) -> Self {
        Self {
            cache: format!("{plugin}\0{cache}").into(),
            key: key.into(),
        }
    }
}

impl Leases {
    /// Takes the lease, or a place among at most so many who wait for any value of the cache.
    pub(crate) fn join(self: &Arc<Self>, subject: Subject, most: usize) -> Joined {
        let mut caches = self.lock();
        let cache = caches.entry(Arc::clone(&subject.cache)).or_default();
        let Some(waiters) = cache.keys.get_mut(&subject.key) else {
            cache.keys.insert(Arc::clone(&subject.key), VecDeque::new());
            return Joined::Lease(self.lease(subject));
        };
        if cache.waiting >= most {
            return Joined::Full;
        }
        let (tell, told) = oneshot::channel();
        let number = cache.number;
        cache.number += 1;
        cache.waiting += 1;
        waiters.push_back(Waiter { number, tell });
        Joined::Waiting(Waiting {
            leases: Arc::clone(self),
            subject,
            number,
            told,
        })
    }

    /// Gives a value to all who wait for it, whoever computes it.
    pub(crate) fn answer(&self, subject: &Subject, value: &Bytes) {
        let waiters = self.waiters(subject, std::mem::take);
        for waiter in waiters.into_iter().flatten() {
            // Who has left meanwhile needs nothing.
            let _ = waiter.tell.send(News::Value(value.clone()));
        }
    }

    fn lease(self: &Arc<Self>, subject: Subject) -> Lease {
        Lease {
            leases: Arc::clone(self),
            subject,
        }
    }

    /// It is the next one's turn; when there is none, nobody computes the value any more.
    fn pass_on(&self, subject: &Subject) {
        loop {
            let mut caches = self.lock();
            let Some(cache) = caches.get_mut(&subject.cache) else {
                return;
            };
            let Some(waiter) = cache.keys.get_mut(&subject.key).and_then(VecDeque::pop_front) else {
                cache.keys.remove(&subject.key);
                return;
            };
            drop(caches);
            if waiter.tell.send(News::YourTurn).is_ok() {
                return;
            }
        }
    }

    fn waiters<T>(&self, subject: &Subject, change: impl FnOnce(&mut VecDeque<Waiter>) -> T) -> Option<T> {
        let mut caches = self.lock();
        let waiters = caches.get_mut(&subject.cache)?.keys.get_mut(&subject.key)?;
        Some(change(waiters))
    }

    /// A panic elsewhere cannot leave a queue half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Cache>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) fn is_for(&self, subject: &Subject) -> bool {
        self.subject == *subject
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.pass_on(&self.subject);
    }
}

impl Waiting {
    /// Waits. None when nobody is left who could tell, which does not happen.
    pub(crate) async fn told(mut self) -> Option<Told> {
        Some(match (&mut self.told).await.ok()? {
            News::Value(value) => Told::Value(value),
            News::YourTurn => Told::Lease(self.leases.lease(self.subject.clone())),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leases.waiters(&self.subject, |waiters| {
            waiters.retain(|waiter| waiter.number != self.number);
        });
        if let Some(cache) = self.leases.lock().get_mut(&self.subject.cache) {
            cache.waiting = cache.waiting.saturating_sub(1);
        }
        // Its turn may have come while it left.
        self.told.close();
        if let Ok(News::YourTurn) = self.told.try_recv() {
            self.leases.pass_on(&self.subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(key: &str) -> Subject {
        Subject::new("plugin", "cache", key)
    }

    fn lease(leases: &Arc<Leases>, key: &str) -> Lease {
        match leases.join(subject(key), 0) {
            Joined::Lease(lease) => lease,
            _ => panic!("somebody computes {key}"),
        }
    }

    fn waiting(leases: &Arc<Leases>, key: &str) -> Waiting {
        match leases.join(subject(key), 3) {
            Joined::Waiting(waiting) => waiting,
            Joined::Lease(_) => panic!("nobody computes {key}"),
            Joined::Full => panic!("too many wait"),
        }
    }

    fn is_empty(leases: &Leases) -> bool {
        leases
            .lock()
            .values()
            .all(|cache| cache.keys.is_empty() && cache.waiting == 0)
    }

    #[tokio::test]
    async fn one_computes_and_all_who_wait_are_given_the_value() {
        let leases = Arc::new(Leases::default());
        let first = lease(&leases, "k");
        let others = [waiting(&leases, "k"), waiting(&leases, "k")];
        drop(lease(&leases, "other"));
        leases.answer(&subject("k"), &Bytes::from_static(b"v"));
        for other in others {
            assert!(matches!(other.told().await, Some(Told::Value(value)) if value == "v"));
        }
        drop(first);
        assert!(is_empty(&leases));
    }

    #[tokio::test]
    async fn a_lease_that_ends_is_the_next_ones_in_turn() {
        let leases = Arc::new(Leases::default());
        let first = lease(&leases, "k");
        let (second, third) = (waiting(&leases, "k"), waiting(&leases, "k"));
        drop(first);
        let Some(Told::Lease(second)) = second.told().await else {
            panic!("it is the second one's turn");
        };
        drop(second);
        assert!(matches!(third.told().await, Some(Told::Lease(_))));
        assert!(is_empty(&leases));
    }

    #[tokio::test]
    async fn who_leaves_is_passed_over_also_when_its_turn_has_come() {
        let leases = Arc::new(Leases::default());
        let first = lease(&leases, "k");
        let (second, third) = (waiting(&leases, "k"), waiting(&leases, "k"));
        drop(first);
        // Told, but gone before it heard it.
        drop(second);
        assert!(matches!(third.told().await, Some(Told::Lease(_))));
        let first = lease(&leases, "k");
        let (second, third) = (waiting(&leases, "k"), waiting(&leases, "k"));
        drop(second);
        drop(first);
        assert!(matches!(third.told().await, Some(Told::Lease(_))));
        assert!(is_empty(&leases));
    }

    #[test]
    fn no_more_wait_than_may_for_all_keys_of_a_cache() {
        let leases = Arc::new(Leases::default());
        let _computing = (lease(&leases, "a"), lease(&leases, "b"));
        let waits = (waiting(&leases, "a"), waiting(&leases, "b"), waiting(&leases, "b"));
        assert!(matches!(leases.join(subject("a"), 3), Joined::Full));
        let _another_cache = match leases.join(Subject::new("plugin", "other", "a"), 0) {
            Joined::Lease(lease) => lease,
            _ => panic!("caches have nothing in common"),
        };
        drop(waits.1);
        drop(waiting(&leases, "a"));
    }
}
