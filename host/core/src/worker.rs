//! Things kept once per worker thread, so that the threads that serve requests do not share cache lines or locks.

use std::cell::Cell;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// Numbers the calling thread as a worker. Called once by each worker before it serves; threads that never call it
/// count as worker 0.
pub fn enter(index: usize) {
    INDEX.set(index);
}

/// The calling worker's number.
pub fn index() -> usize {
    INDEX.get()
}

/// One value for each worker. The others' are reachable too, for sums and for cleaning up.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[Slot<T>]>);

// Two cache lines: what adjacent-line prefetching brings along belongs to the same worker.
#[derive(Debug)]
#[repr(align(128))]
struct Slot<T>(T);

impl<T> PerWorker<T> {
    /// A value for each of `workers` threads, at least one.
    pub fn new(workers: usize, make: impl FnMut(usize) -> T) -> Self {
        Self((0..workers.max(1)).map(make).map(Slot).collect())
    }

    /// The calling worker's value. Threads beyond the number of workers share values.
    #[expect(
        clippy::indexing_slicing,
        reason = "there is at least one slot, and the index is taken modulo their number"
    )]
    pub fn local(&self) -> &T {
        &self.0[index() % self.0.len()].0
    }

    /// All workers' values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|slot| &slot.0)
    }
}
