//! What is counted about plugins. Hot paths count into the numbers of their own worker; sums are made when somebody
//! looks: the metrics endpoint ([`collector`]) or the admin API ([`RuntimeStats`]).

mod collector;
mod counts;
mod custom;
mod report;
mod route;
mod service;
mod stats;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use collector::PluginCollector;
pub(crate) use custom::{CustomMetrics, Sample};
pub use report::{CallStats, RouteReport, RuntimeStats};
pub(crate) use route::{Measured, RouteStats, Taken};
pub(crate) use service::{Answered, Service};
pub use stats::LastTrap;
pub(crate) use stats::{Outcome, PluginStats, nanos};

/// The numbers of all plugins of the process. They live as long as the host: a plugin that is replaced goes on
/// counting where the version before stopped.
pub(crate) struct HostMetrics {
    workers: usize,
    plugins: Mutex<BTreeMap<Arc<str>, Arc<PluginStats>>>,
    pub(crate) custom: Arc<CustomMetrics>,
    pub(crate) runtimes: AtomicU64,
    compiled: AtomicU64,
    from_store: AtomicU64,
    compile_nanos: AtomicU64,
}

impl HostMetrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            plugins: Mutex::default(),
            custom: Arc::default(),
            runtimes: AtomicU64::new(0),
            compiled: AtomicU64::new(0),
            from_store: AtomicU64::new(0),
            compile_nanos: AtomicU64::new(0),
        }
    }

    /// The numbers of the plugin with that name. Asked once for each load.
    pub(crate) fn plugin(&self, name: &Arc<str>) -> Arc<PluginStats> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            plugins
                .entry(Arc::clone(name))
                .or_insert_with(|| Arc::new(PluginStats::new(self.workers))),
        )
    }

    /// Notes where a plugin's code came from.
    pub(crate) fn loaded(&self, compiled: Option<Duration>) {
        match compiled {
            Some(time) => {
                self.compiled.fetch_add(1, Ordering::Relaxed);
                self.compile_nanos.fetch_add(stats::nanos(time), Ordering::Relaxed);
            }
            None => {
                self.from_store.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn all(&self) -> Vec<(Arc<str>, Arc<PluginStats>)> {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins
            .iter()
            .map(|(name, stats)| (Arc::clone(name), Arc::clone(stats)))
            .collect()
    }
}
