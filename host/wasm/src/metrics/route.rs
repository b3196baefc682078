//! The numbers of one plugin on one route: its calls there, and what they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_core::{PerWorker, RouteName};

use super::counts::counts;
use super::{Outcome, nanos};
use crate::call::Processor;
use crate::failure::TrapReason;
use crate::kind::PluginKind;

const KINDS: usize = PluginKind::ALL.len();
const REASONS: usize = TrapReason::ALL.len();

/// Upper bounds of the buckets of call times: microseconds for compiled guests, milliseconds for interpreters and
/// waiting ones.
pub(super) const BUCKETS: [Duration; 14] = [
    Duration::from_micros(2),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(20),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(5),
];

/// The numbers. Each use of the plugin on the route holds them, so that a call looks nothing up.
pub(crate) struct RouteStats {
    route: RouteName,
    workers: PerWorker<Numbers>,
}

/// One worker's share. Counters only grow; what is under way is what began less what ended.
#[derive(Default)]
struct Numbers {
    counts: RouteCounts,
    calls: [[AtomicU64; Outcome::ALL.len()]; KINDS],
    times: [[AtomicU64; BUCKETS.len() + 1]; KINDS],
    nanos: [AtomicU64; KINDS],
    traps: [AtomicU64; REASONS],
    processor_nanos: AtomicU64,
    queue_nanos: AtomicU64,
    memory_high_water: AtomicU64,
}

counts!(
    RouteStats,
    RouteCounts,
    RouteCountSums {
        /// Calls that began.
        began,
        /// Calls that found no place and began to wait for one.
        queued,
        /// Calls that no longer wait, whether they got a place or not.
        left_queue,
        /// Decisions taken from the cache.
        decision_hit,
        /// Decisions that were not in the cache.
        decision_miss,
        /// Decisions that could not be cached.
        decision_bypass,
        /// Faults that `on_fault = "skip"` passed over.
        skipped,
    }
);

/// Sums over the workers.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteSums {
    pub(super) counts: RouteCountSums,
    pub(super) calls: [[u64; Outcome::ALL.len()]; KINDS],
    pub(super) times: [[u64; BUCKETS.len() + 1]; KINDS],
    pub(super) nanos: [u64; KINDS],
    pub(super) traps: [u64; REASONS],
    pub(super) processor_nanos: u64,
    pub(super) queue_nanos: u64,
    /// Not a sum, but the greatest.
    pub(super) memory_high_water: u64,
}

impl RouteStats {
    pub(super) fn new(route: &RouteName, workers: usize) -> Self {
        Self {
            route: RouteName::clone(route),
            workers: PerWorker::new(workers, |_| Numbers::default()),
        }
    }

    pub(crate) fn route(&self) -> &RouteName {
        &self.route
    }

    /// Measures a call from now on. One that is dropped counts as cancelled.
    pub(crate) fn measure(&self, kind: PluginKind) -> Measured<'_> {
        self.began();
        Measured {
            numbers: self.workers.local(),
            kind,
            began: Instant::now(),
            processor: Processor::default(),
            placed: None,
            outcome: Outcome::Cancelled,
        }
    }

    /// Measures how long a call waits for a place, from `since` until that is dropped.
    pub(crate) fn wait(&self, since: Instant) -> InQueue<'_> {
        self.queued();
        InQueue { stats: self, since }
    }

    /// Notes why a guest broke off.
    pub(crate) fn trapped(&self, reason: TrapReason) {
        count(self.workers.local().traps.get(reason as usize), 1);
    }

    /// Notes the memory that an instance has after a call.
    pub(crate) fn used_memory(&self, bytes: usize) {
        let bytes = bytes as u64;
        let high_water = &self.workers.local().memory_high_water;
        if bytes > high_water.load(Ordering::Relaxed) {
            high_water.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn sums(&self) -> RouteSums {
        let mut sums = RouteSums::default();
        self.workers.iter().for_each(|numbers| sums.add_numbers(numbers));
        sums
    }
}

impl RouteSums {
    fn add_numbers(&mut self, numbers: &Numbers) {
        let load = |numbers: &[AtomicU64], sums: &mut [u64]| {
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += number.load(Ordering::Relaxed);
            }
        };
        self.counts.add(&numbers.counts);
        for (sums, numbers) in self.calls.iter_mut().zip(&numbers.calls) {
            load(numbers, sums);
        }
        for (sums, numbers) in self.times.iter_mut().zip(&numbers.times) {
            load(numbers, sums);
        }
        load(&numbers.nanos, &mut self.nanos);
        load(&numbers.traps, &mut self.traps);
        self.processor_nanos += numbers.processor_nanos.load(Ordering::Relaxed);
        self.queue_nanos += numbers.queue_nanos.load(Ordering::Relaxed);
        let high_water = numbers.memory_high_water.load(Ordering::Relaxed);
        self.memory_high_water = self.memory_high_water.max(high_water);
    }

    /// Calls that wait for a place now.
    pub(super) fn waiting(&self) -> u64 {
        self.counts.queued.saturating_sub(self.counts.left_queue)
    }

    /// Calls that have their place and run now.
    pub(super) fn running(&self) -> u64 {
        let ended: u64 = self.calls.iter().flatten().sum();
        self.counts.began.saturating_sub(ended).saturating_sub(self.waiting())
    }

    /// Time of the calls that have ended, once they had their place.
    pub(super) fn wall_nanos(&self) -> u64 {
        let nanos: u64 = self.nanos.iter().sum();
        nanos.saturating_sub(self.queue_nanos)
    }
}

/// A call that is being measured.
pub(crate) struct Measured<'a> {
    numbers: &'a Numbers,
    kind: PluginKind,
    began: Instant,
    /// Processor time of the guest and of the gateway on its behalf.
    pub(crate) processor: Processor,
    /// Since when it has had its place.
    placed: Option<Instant>,
    outcome: Outcome,
}

/// What a call has taken so far.
pub(crate) struct Taken {
    pub(crate) kind: PluginKind,
    pub(crate) queue: Duration,
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

impl Measured<'_> {
    /// Which hook it calls.
    pub(crate) fn kind(&self) -> PluginKind {
        self.kind
    }

    /// When it began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// It has its place and begins.
    pub(crate) fn has_place(&mut self, now: Instant) {
        self.placed = Some(now);
        self.processor.starts(now);
    }

    /// What it has taken so far.
    pub(crate) fn so_far(&self) -> Taken {
        let now = Instant::now();
        let placed = self.placed.unwrap_or(now);
        Taken {
            kind: self.kind,
            queue: placed.saturating_duration_since(self.began),
            wall: now.saturating_duration_since(placed),
            processor: self.processor.ended(now),
        }
    }

    /// The call ended so.
    pub(crate) fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.began);
        let numbers = self.numbers;
        let kind = self.kind.index();
        let bucket = BUCKETS
            .iter()
            .position(|bound| elapsed <= *bound)
            .unwrap_or(BUCKETS.len());
        let outcomes = numbers.calls.get(kind);
        count(outcomes.and_then(|outcomes| outcomes.get(self.outcome as usize)), 1);
        count(numbers.times.get(kind).and_then(|buckets| buckets.get(bucket)), 1);
        count(numbers.nanos.get(kind), nanos(elapsed));
        count(Some(&numbers.processor_nanos), nanos(self.processor.ended(now)));
    }
}

/// A call that waits for a place.
pub(crate) struct InQueue<'a> {
    stats: &'a RouteStats,
    since: Instant,
}

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.stats.left_queue();
        let waited = nanos(self.since.elapsed());
        count(Some(&self.stats.workers.local().queue_nanos), waited);
    }
}

fn count(number: Option<&AtomicU64>, by: u64) {
    if let Some(number) = number {
        number.fetch_add(by, Ordering::Relaxed);
    }
}
