//! Instances that wait for their next call, when the operator lets a plugin reuse them. Each worker has its own, last
//! in first out: what was used last is warm, and what is not needed falls asleep at the bottom.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gatewright_core::PerWorker;

use crate::instance::Instance;
use crate::runtime::Runtime;

/// How long an instance waits before it is dropped.
const IDLE: Duration = Duration::from_secs(30);

/// The waiting instances of one runtime.
pub(crate) struct Pool(PerWorker<Mutex<Vec<Waiting>>>);

struct Waiting {
    instance: Box<Instance>,
    /// When it was first seen to wait: a look at the clock for each call would be dearer than a second too much.
    since: Option<Instant>,
}

impl Pool {
    pub(crate) fn new(workers: usize) -> Self {
        Self(PerWorker::new(workers, |_| Mutex::default()))
    }

    /// This worker's last instance. It is the caller's until put back; after anything but success it is not.
    pub(crate) fn take(&self) -> Option<Box<Instance>> {
        let waiting = lock(self.0.local()).pop()?;
        waiting.instance.store.data().caller.stats.instance_taken();
        Some(waiting.instance)
    }

    /// Puts one back.
    pub(crate) fn put(&self, instance: Box<Instance>) {
        instance.store.data().caller.stats.instance_idle();
        lock(self.0.local()).push(Waiting { instance, since: None });
    }

    /// Drops what has waited for too long, or everything. Whether something is left.
    fn sweep(&self, all: bool) -> bool {
        let (mut left, now) = (false, Instant::now());
        for worker in self.0.iter() {
            let mut waiting = lock(worker);
            // The bottom has waited longest.
            let old = waiting
                .iter_mut()
                .map(|waiting| *waiting.since.get_or_insert(now))
                .filter(|since| all || now.saturating_duration_since(*since) >= IDLE)
                .count();
            let gone: Vec<_> = waiting.drain(..old).collect();
            left |= !waiting.is_empty();
            drop(waiting);
            // Outside the lock: taking down an interpreter takes its time.
            for waiting in gone {
                waiting.instance.store.data().caller.stats.instance_taken();
            }
        }
        left
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.sweep(true);
    }
}

fn lock(waiting: &Mutex<Vec<Waiting>>) -> MutexGuard<'_, Vec<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All runtimes of the process, to find what waits in their pools.
#[derive(Default)]
pub(crate) struct Runtimes(Mutex<Vec<Weak<Runtime>>>);

impl Runtimes {
    pub(crate) fn add(&self, runtime: Weak<Runtime>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(runtime);
    }

    /// Drops instances that have waited for too long. Whether some are left.
    pub(crate) fn sweep(&self) -> bool {
        self.each(false)
    }

    /// Drops all waiting instances: somebody needs their places.
    pub(crate) fn evict(&self) {
        self.each(true);
    }

    fn each(&self, all: bool) -> bool {
        let mut runtimes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.retain(|runtime| runtime.strong_count() > 0);
        let alive: Vec<_> = runtimes.iter().filter_map(Weak::upgrade).collect();
        drop(runtimes);
        let mut left = false;
        for runtime in alive {
            left |= runtime.pool().sweep(all);
        }
        left
    }
}
