//! The numbers of one plugin: those of its calls by route ([`RouteStats`]), and those that belong to no route.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatewright_core::{PerWorker, RouteName};
use serde::Serialize;

use super::counts::counts;
use super::route::{RouteStats, RouteSums};
use super::service::ServiceStats;
use crate::failure::Failure;

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

    pub(crate) const fn as_str(self) -> &'static str {
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
            Failure::Fault(_) | Failure::Message(_) => Self::Fault,
            Failure::Trap(..) => Self::Trap,
            Failure::CpuExceeded | Failure::TimeExceeded => Self::Timeout,
            Failure::ExchangeOver => Self::Cancelled,
            Failure::Output(_) => Self::OutputRefused,
            Failure::Saturated => Self::Saturated,
            Failure::Resting(_) => Self::Resting,
        }
    }
}

/// The last call of a plugin that broke off, and why.
#[derive(Clone, Debug, Serialize)]
pub struct LastTrap {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The route.
    pub route: String,
    /// The interface.
    pub hook: &'static str,
    /// Why, in the plugin's own words where it has left any.
    pub failure: String,
}

impl LastTrap {
    pub(crate) fn new(route: &str, hook: &'static str, failure: &Failure) -> Self {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            route: route.to_owned(),
            hook,
            failure: failure.to_string(),
        }
    }
}

/// One plugin's numbers.
pub(crate) struct PluginStats {
    workers: PerWorker<Numbers>,
    /// As many as routes have used it since the process began.
    routes: Mutex<BTreeMap<RouteName, Arc<RouteStats>>>,
    memory_high_water: AtomicU64,
    /// Processor time of `describe` and of `configure` at load.
    loading_nanos: AtomicU64,
    last_trap: Mutex<Option<LastTrap>>,
    pub(crate) services: ServiceStats,
}

#[derive(Default)]
struct Numbers {
    counts: PluginCounts,
}

counts!(
    PluginStats,
    PluginCounts,
    PluginSums {
        /// Instances made.
        instance_made,
        /// Instances gone.
        instance_gone,
        /// Instances that began to wait for their next call.
        instance_idle,
        /// Instances that no longer wait for it.
        instance_taken,
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
);

impl PluginStats {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: PerWorker::new(workers, |_| Numbers::default()),
            routes: Mutex::default(),
            memory_high_water: AtomicU64::new(0),
            loading_nanos: AtomicU64::new(0),
            last_trap: Mutex::default(),
            services: ServiceStats::new(workers),
        }
    }

    /// The numbers of its calls on a route. Asked once for each use.
    pub(crate) fn route(&self, route: &RouteName) -> Arc<RouteStats> {
        let workers = self.workers.iter().count();
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = routes.entry(RouteName::clone(route));
        Arc::clone(stats.or_insert_with(|| Arc::new(RouteStats::new(route, workers))))
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

    /// Notes processor time of a call that belongs to no route.
    pub(crate) fn loaded_for(&self, time: Duration) {
        self.loading_nanos.fetch_add(nanos(time), Ordering::Relaxed);
    }

    pub(super) fn loading_nanos(&self) -> u64 {
        self.loading_nanos.load(Ordering::Relaxed)
    }

    /// Notes why a call broke off.
    pub(crate) fn broke_off(&self, trap: LastTrap) {
        *self.last_trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(trap);
    }

    pub(super) fn last_trap(&self) -> Option<LastTrap> {
        self.last_trap.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn sums(&self) -> PluginSums {
        let mut sums = PluginSums::default();
        self.workers.iter().for_each(|numbers| sums.add(&numbers.counts));
        sums
    }

    /// The numbers of each route.
    pub(super) fn routes(&self) -> Vec<(RouteName, RouteSums)> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let routes: Vec<_> = routes.values().map(Arc::clone).collect();
        let sums = |stats: Arc<RouteStats>| (RouteName::clone(stats.route()), stats.sums());
        routes.into_iter().map(sums).collect()
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
