//! Room for new clients when the process has no file descriptor left: connections that nobody uses are asked to end,
//! the ones that have been idle for longest first, a few at a time.
//!
//! Nothing of this is on a request's way. A connection is entered when it begins and struck out when it ends; which
//! ones are idle is looked up when room is needed, and the connection's own guard ends it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use gatewright_core::PerWorker;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use crate::listener::guard::{QUIET, Watch};

/// Connections asked to end each time that one cannot be accepted: enough to let clients in faster than a person
/// waits, and so few that a crowd of new clients does not drive out all the others at once.
const AT_ONCE: usize = 8;

/// The connections of all clients, each with the worker that serves it.
pub struct OpenConnections {
    workers: PerWorker<Arc<Mutex<Entries>>>,
    shed: Counter,
}

#[derive(Default)]
struct Entries {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    watch: Arc<Watch>,
    task: Waker,
}

/// One connection's entry. Struck out when dropped.
pub struct Place {
    worker: Arc<Mutex<Entries>>,
    number: u64,
    watch: Arc<Watch>,
    shed: Counter,
}

impl OpenConnections {
    /// None yet. `shed` counts those that were asked to end, and did.
    pub fn new(workers: usize, shed: Counter) -> Arc<Self> {
        Arc::new(Self {
            workers: PerWorker::new(workers, |_| Arc::default()),
            shed,
        })
    }

    /// Enters a connection. Called by the task that serves it, to the end.
    pub async fn enter(&self, watch: &Arc<Watch>) -> Place {
        let task = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        self.enter_task(watch, task)
    }

    fn enter_task(&self, watch: &Arc<Watch>, task: Waker) -> Place {
        let worker = Arc::clone(self.workers.local());
        let mut entries = lock(&worker);
        let number = entries.next;
        entries.next += 1;
        let watch = Arc::clone(watch);
        entries.entries.insert(
            number,
            Entry {
                watch: Arc::clone(&watch),
                task,
            },
        );
        drop(entries);
        Place {
            worker,
            number,
            watch,
            shed: self.shed.clone(),
        }
    }

    /// Asks some idle connections to end, whichever worker serves them; how many were asked.
    pub fn make_room(&self) -> usize {
        let now = Instant::now();
        let mut idle: Vec<(Instant, Arc<Watch>, Waker)> = Vec::new();
        for worker in self.workers.iter() {
            let entries = lock(worker);
            idle.extend(entries.entries.values().filter_map(|Entry { watch, task }| {
                let since = watch.idle_since().filter(|since| *since + QUIET <= now)?;
                Some((since, Arc::clone(watch), task.clone()))
            }));
        }
        idle.sort_unstable_by_key(|(since, ..)| *since);
        idle.truncate(AT_ONCE);
        for (_, watch, task) in &idle {
            watch.dismiss();
            task.wake_by_ref();
        }
        idle.len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.worker).entries.remove(&self.number);
        if self.watch.is_dismissed() {
            self.shed.inc();
        }
    }
}

/// A panic elsewhere leaves a list of connections whole.
fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_that_have_been_idle_for_longest_are_asked_first_and_none_that_is_in_use() {
        let open = OpenConnections::new(2, Counter::default());
        let now = Instant::now();
        let enter = |ago: u64| {
            let watch = Watch::opened_at(now - Duration::from_secs(ago));
            let place = open.enter_task(&watch, Waker::noop().clone());
            (watch, place)
        };
        let young: Vec<_> = (2..).take(AT_ONCE).map(enter).collect();
        let (old, _place_of_old) = enter(60);
        let (busy, _place_of_busy) = enter(120);
        let (used, _place_of_used) = enter(180);
        let (_in_flight, _) = busy.begin();
        drop(used.begin());

        assert_eq!(open.make_room(), AT_ONCE);
        let asked = |watch: &Arc<Watch>| watch.is_dismissed();
        assert!(asked(&old));
        assert!(!asked(&busy) && !asked(&used), "one is in use, one was a moment ago");
        let spared: Vec<usize> = (0..AT_ONCE).filter(|at| !asked(&young[*at].0)).collect();
        assert_eq!(spared, [0], "the youngest stays");
        assert_eq!(open.make_room(), 1, "nobody is asked twice");

        drop(young);
        assert_eq!(open.shed.get(), u64::try_from(AT_ONCE).unwrap());
    }
}
