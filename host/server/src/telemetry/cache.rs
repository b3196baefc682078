//! Numbers of the response cache.

use std::sync::Arc;

use gatewright_core::CacheUse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Name;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UseLabels {
    route: Name,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// What can become of something, as values of the label `result`.
macro_rules! results {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            const ALL: &[&'static str] = &[$($text,)*];

            const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

results! {
    /// What became of a question whether a response is still good.
    Revalidated {
        /// It is.
        Unchanged = "unchanged",
        /// There is another one.
        Changed = "changed",
        /// Nobody knows.
        Failed = "failed",
    }
}

results! {
    /// What became of reading a file.
    DiskRead {
        /// There was something of use.
        Hit = "hit",
        /// There was nothing of use.
        Miss = "miss",
        /// It could not be read, took too long, or was not what it should be.
        Failed = "failed",
    }
}

results! {
    /// What became of writing a file.
    DiskWrite {
        /// It is there.
        Done = "done",
        /// Too many waited, or writing had just failed.
        Dropped = "dropped",
        /// It could not be written.
        Failed = "failed",
    }
}

/// The numbers.
#[derive(Clone)]
pub struct CacheMetrics {
    requests: Family<UseLabels, Counter>,
    revalidations: Family<ResultLabels, Counter>,
    bytes: Gauge,
    entries: Gauge,
    evictions: Counter,
    purged: Counter,
    waiting: Gauge,
    disk_reads: Family<ResultLabels, Counter>,
    disk_writes: Family<ResultLabels, Counter>,
    disk_bytes: Gauge,
    disk_files: Gauge,
}

/// Numbers of one route's cache.
pub struct RouteCacheMetrics([Counter; CacheUse::ALL.len()]);

/// A request that waits for another one.
pub struct Waiting(Gauge);

impl Default for CacheMetrics {
    fn default() -> Self {
        let metrics = Self {
            requests: Family::default(),
            revalidations: Family::default(),
            bytes: Gauge::default(),
            entries: Gauge::default(),
            evictions: Counter::default(),
            purged: Counter::default(),
            waiting: Gauge::default(),
            disk_reads: Family::default(),
            disk_writes: Family::default(),
            disk_bytes: Gauge::default(),
            disk_files: Gauge::default(),
        };
        // Zero from the beginning, so that an alert on a rate sees the first one.
        for (family, results) in [
            (&metrics.revalidations, Revalidated::ALL),
            (&metrics.disk_reads, DiskRead::ALL),
            (&metrics.disk_writes, DiskWrite::ALL),
        ] {
            for result in results {
                drop(family.get_or_create(&ResultLabels { result }));
            }
        }
        metrics
    }
}

impl CacheMetrics {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "cache_requests",
            "Requests of routes with a cache, by what it did",
            self.requests.clone(),
        );
        gatewright.register(
            "cache_revalidations",
            "Questions to upstreams whether a response is still good, by the answer",
            self.revalidations.clone(),
        );
        gatewright.register_with_unit(
            "cache_stored",
            "What kept responses take in memory, those included that are just coming",
            Unit::Bytes,
            self.bytes.clone(),
        );
        gatewright.register(
            "cache_entries",
            "Keys that something is kept under",
            self.entries.clone(),
        );
        gatewright.register(
            "cache_evictions",
            "Keys whose responses had to make room for others",
            self.evictions.clone(),
        );
        gatewright.register(
            "cache_purged",
            "Responses removed because something was changed, or because somebody said so",
            self.purged.clone(),
        );
        gatewright.register(
            "cache_waiting",
            "Requests that wait for a response that another one is fetching",
            self.waiting.clone(),
        );
        gatewright.register(
            "cache_disk_reads",
            "Files that were looked at because memory had nothing, by what was in them",
            self.disk_reads.clone(),
        );
        gatewright.register(
            "cache_disk_writes",
            "Files that were to be written, by what became of it",
            self.disk_writes.clone(),
        );
        gatewright.register_with_unit(
            "cache_disk",
            "What kept responses take on disk",
            Unit::Bytes,
            self.disk_bytes.clone(),
        );
        gatewright.register(
            "cache_disk_files",
            "Keys that something is kept under on disk",
            self.disk_files.clone(),
        );
    }

    /// A file was looked at.
    pub fn disk_read(&self, result: DiskRead) {
        let result = result.as_str();
        self.disk_reads.get_or_create(&ResultLabels { result }).inc();
    }

    /// A file was to be written.
    pub fn disk_write(&self, result: DiskWrite) {
        let result = result.as_str();
        self.disk_writes.get_or_create(&ResultLabels { result }).inc();
    }

    /// What is kept on disk takes so many bytes now, in so many files.
    pub fn disk(&self, bytes: u64, files: usize) {
        self.disk_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.disk_files.set(i64::try_from(files).unwrap_or(i64::MAX));
    }

    /// Numbers of one route.
    pub fn route(&self, route: &Arc<str>) -> RouteCacheMetrics {
        RouteCacheMetrics(CacheUse::ALL.map(|used| {
            let labels = UseLabels {
                route: Name(Arc::clone(route)),
                result: used.as_str(),
            };
            self.requests.get_or_create_owned(&labels)
        }))
    }

    /// Counts a question.
    pub fn revalidated(&self, result: Revalidated) {
        let result = result.as_str();
        self.revalidations.get_or_create(&ResultLabels { result }).inc();
    }

    /// What is kept takes so many bytes now.
    pub fn bytes(&self, bytes: u64) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// There are so many keys more.
    pub fn entries(&self, more: i64) {
        self.entries.inc_by(more);
    }

    /// A key had to make room.
    pub fn evicted(&self) {
        self.evictions.inc();
    }

    /// A request waits for another one, until what is returned is dropped.
    pub fn waits(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }

    /// So many responses were removed.
    pub fn purged(&self, responses: u64) {
        self.purged.inc_by(responses);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl RouteCacheMetrics {
    /// Counts a request.
    pub fn count(&self, used: CacheUse) {
        if let Some(counter) = self.0.get(used as usize) {
            counter.inc();
        }
    }
}
