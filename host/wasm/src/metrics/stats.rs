//! The numbers of one plugin, kept for each worker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_core::PerWorker;

use super::service::ServiceStats;
use crate::failure::{Failure, TrapReason};
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

/// How a call ended; label of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Fault,
    Trap,
    Timeout,
    OutputRefused,
    Saturated,
    Resting,
    /// The exchange ended first: the client left, or the route's time was over.
    Cancelled,
}

impl Outcome {
    pub(super) const ALL: [Self; 8] = [
        Self::Ok,
        Self::Fault,
        Self::Trap,
        Self::Timeout,
        Self::OutputRefused,
        Self::Saturated,
        Self::Resting,
        Self::Cancelled,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fault => "fault",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::OutputRefused => "output_refused",
            Self::Saturated => "saturated",
            Self::Resting => "resting",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<&Failure> for Outcome {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Fault(_) => Self::Fault,
            Failure::Trap(..) => Self::Trap,
            Failure::CpuExceeded | Failure::TimeExceeded => Self::Timeout,
            Failure::ExchangeOver => Self::Cancelled,
            Failure::Output(_) => Self::OutputRefused,
            Failure::Saturated => Self::Saturated,
            Failure::Resting(_) => Self::Resting,
        }
    }
}

/// One plugin's numbers.
pub(crate) struct PluginStats {
    workers: PerWorker<Numbers>,
    memory_high_water: AtomicU64,
    pub(crate) services: ServiceStats,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One worker's share. Counters only grow; what is alive is what began less what ended.
        struct Numbers {
            calls: [[AtomicU64; Outcome::ALL.len()]; KINDS],
            times: [[AtomicU64; BUCKETS.len() + 1]; KINDS],
            nanos: [AtomicU64; KINDS],
            traps: [AtomicU64; REASONS],
            $($(#[$doc])* $name: AtomicU64,)*
        }

        impl Numbers {
            fn new() -> Self {
                Self {
                    calls: Default::default(),
                    times: Default::default(),
                    nanos: Default::default(),
                    traps: Default::default(),
                    $($name: AtomicU64::new(0),)*
                }
            }
        }

        impl PluginStats {
            $($(#[$doc])*
            pub(crate) fn $name(&self) {
                self.workers.local().$name.fetch_add(1, Ordering::Relaxed);
            })*
        }

        /// Sums over the workers.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Sums {
            pub(super) calls: [[u64; Outcome::ALL.len()]; KINDS],
            pub(super) times: [[u64; BUCKETS.len() + 1]; KINDS],
            pub(super) nanos: [u64; KINDS],
            pub(super) traps: [u64; REASONS],
            $($(#[$doc])* pub(super) $name: u64,)*
        }

        impl Sums {
            fn add(&mut self, numbers: &Numbers) {
                for (sums, numbers) in self.calls.iter_mut().zip(&numbers.calls) {
                    add_all(sums, numbers);
                }
                for (sums, numbers) in self.times.iter_mut().zip(&numbers.times) {
                    add_all(sums, numbers);
                }
                add_all(&mut self.nanos, &numbers.nanos);
                add_all(&mut self.traps, &numbers.traps);
                $(self.$name += numbers.$name.load(Ordering::Relaxed);)*
            }
        }
    };
}

numbers! {
    /// Ticks of processor time: a sample of one millisecond each.
    ticked,
    /// Instances made.
    instance_made,
    /// Instances gone.
    instance_gone,
    /// Instances that began to wait for their next call.
    instance_idle,
    /// Instances that no longer wait for it.
    instance_taken,
    /// Calls that waited for a place.
    queued,
    /// Decisions taken from the cache.
    decision_hit,
    /// Decisions that were not in the cache.
    decision_miss,
    /// Decisions that could not be cached.
    decision_bypass,
    /// Faults that `on_fault = "skip"` passed over.
    skipped,
    /// Values found in its caches.
    cache_hit,
    /// Values of its caches that a call was told to compute.
    cache_miss,
    /// Values of its caches that another call computed meanwhile.
    cache_shared,
    /// Calls that began to wait for such a value.
    cache_wait_began,
    /// Calls that no longer wait for one.
    cache_wait_ended,
    /// Log lines beyond a call's budget.
    log_line_dropped,
    /// Samples of own metrics that were not granted, misnamed or too many.
    sample_dropped,
}

fn add_all(sums: &mut [u64], numbers: &[AtomicU64]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number.load(Ordering::Relaxed);
    }
}

impl PluginStats {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: PerWorker::new(workers, |_| Numbers::new()),
            memory_high_water: AtomicU64::new(0),
            services: ServiceStats::new(workers),
        }
    }

    /// Measures a call from now on. One that is dropped counts as cancelled.
    pub(crate) fn measure(&self, kind: PluginKind) -> Measured<'_> {
        Measured {
            stats: self,
            kind,
            began: Instant::now(),
            outcome: Outcome::Cancelled,
        }
    }

    /// Notes why a guest broke off.
    pub(crate) fn trapped(&self, reason: TrapReason) {
        if let Some(number) = self.workers.local().traps.get(reason as usize) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the memory of an instance that is done with.
    pub(crate) fn used_memory(&self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes > self.memory_high_water.load(Ordering::Relaxed) {
            self.memory_high_water.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn memory_high_water(&self) -> u64 {
        self.memory_high_water.load(Ordering::Relaxed)
    }

    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.workers.iter().for_each(|numbers| sums.add(numbers));
        sums
    }
}

/// A call that is being measured.
pub(crate) struct Measured<'a> {
    stats: &'a PluginStats,
    kind: PluginKind,
    began: Instant,
    outcome: Outcome,
}

impl Measured<'_> {
    /// When it began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The call ended so.
    pub(crate) fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let elapsed = self.began.elapsed();
        let numbers = self.stats.workers.local();
        let kind = self.kind.index();
        let bucket = BUCKETS
            .iter()
            .position(|bound| elapsed <= *bound)
            .unwrap_or(BUCKETS.len());
        let count = |number: Option<&AtomicU64>, by| number.map(|number| number.fetch_add(by, Ordering::Relaxed));
        count(
            numbers
                .calls
                .get(kind)
                .and_then(|outcomes| outcomes.get(self.outcome as usize)),
            1,
        );
        count(numbers.times.get(kind).and_then(|buckets| buckets.get(bucket)), 1);
        count(numbers.nanos.get(kind), nanos(elapsed));
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Numbers of a plugin for people: since the process began, over all versions of the file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RuntimeStats {
    /// Configurations that are in use.
    pub runtimes: usize,
    /// Those of them whose breaker is open.
    pub resting: usize,
    /// Instances alive.
    pub instances: u64,
    /// Those of them that wait for a call.
    pub idle: u64,
    /// Most linear memory that one instance had, in bytes.
    pub memory_high_water_bytes: u64,
    /// Processor time, sampled in milliseconds.
    pub cpu_ms: u64,
    /// Calls by hook and outcome; only those that occurred.
    pub calls: Vec<CallStats>,
    /// Traps by reason; only those that occurred.
    pub traps: Vec<(&'static str, u64)>,
}

/// Calls of one hook that ended in one way.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CallStats {
    /// The interface.
    pub hook: &'static str,
    /// How they ended.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

impl PluginStats {
    /// For people; what belongs to this version of the plugin is the caller's to say.
    pub(crate) fn report(&self, runtimes: usize, resting: usize) -> RuntimeStats {
        let sums = self.sums();
        let mut calls = Vec::new();
        for (kind, outcomes) in PluginKind::ALL.into_iter().zip(&sums.calls) {
            for (outcome, count) in Outcome::ALL.into_iter().zip(outcomes).filter(|(_, count)| **count > 0) {
                calls.push(CallStats {
                    hook: kind.as_str(),
                    outcome: outcome.as_str(),
                    count: *count,
                });
            }
        }
        let traps = TrapReason::ALL.iter().map(|reason| reason.as_str()).zip(sums.traps);
        RuntimeStats {
            runtimes,
            resting,
            instances: sums.instance_made.saturating_sub(sums.instance_gone),
            idle: sums.instance_idle.saturating_sub(sums.instance_taken),
            memory_high_water_bytes: self.memory_high_water(),
            cpu_ms: sums.ticked,
            calls,
            traps: traps.filter(|(_, count)| *count > 0).collect(),
        }
    }
}
