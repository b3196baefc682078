//! Numbers of the server in which gateways share state.

use std::time::Duration;

use gatewright_core::Away;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the histogram, in seconds: from a server on the same machine to one that is overloaded.
const TIMES: [f64; 10] = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.5];

/// How an operation ends.
const RESULTS: [&str; 2] = ["done", "failed"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: &'static str,
}

/// The numbers.
#[derive(Clone)]
pub struct StateMetrics {
    connections: Gauge,
    operations: Family<ResultLabels, Counter>,
    seconds: Histogram,
    fallbacks: Family<PolicyLabels, Counter>,
    restored: Counter,
    unwritten: Counter,
}

impl Default for StateMetrics {
    fn default() -> Self {
        let metrics = Self {
            connections: Gauge::default(),
            operations: Family::default(),
            seconds: Histogram::new(TIMES),
            fallbacks: Family::default(),
            restored: Counter::default(),
            unwritten: Counter::default(),
        };
        // Zero from the beginning, so that an alert on a rate sees the first one.
        for result in RESULTS {
            drop(metrics.operations.get_or_create(&ResultLabels { result }));
        }
        for policy in [Away::Open, Away::Closed, Away::Local].map(name) {
            drop(metrics.fallbacks.get_or_create(&PolicyLabels { policy }));
        }
        metrics
    }
}

impl StateMetrics {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "state_connections",
            "Connections to the state server that work; each worker has one",
            self.connections.clone(),
        );
        gatewright.register(
            "state_operations",
            "Operations that the state server was asked for, by how that ended",
            self.operations.clone(),
        );
        gatewright.register_with_unit(
            "state_operation_duration",
            "Time that an operation of the state server took, its failure included",
            Unit::Seconds,
            self.seconds.clone(),
        );
        gatewright.register(
            "state_fallbacks",
            "Operations that were done otherwise, or not at all, because the state server did not answer",
            self.fallbacks.clone(),
        );
        gatewright.register(
            "state_restored_quotas",
            "Counts of quotas of which the state server knew less than the gateway, which gave them back",
            self.restored.clone(),
        );
        gatewright.register(
            "state_failed_snapshots",
            "Snapshots of quotas that could not be written",
            self.unwritten.clone(),
        );
    }

    /// A worker is connected.
    pub fn connected(&self) {
        self.connections.inc();
    }

    /// A worker is not connected any more.
    pub fn disconnected(&self) {
        self.connections.dec();
    }

    /// Counts an operation.
    pub fn operation(&self, done: bool, took: Duration) {
        let [well, ill] = RESULTS;
        let result = if done { well } else { ill };
        self.operations.get_or_create(&ResultLabels { result }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// The server has lost a count, and got it back.
    pub fn restored(&self) {
        self.restored.inc();
    }

    /// A snapshot could not be written.
    pub fn not_written(&self) {
        self.unwritten.inc();
    }

    /// Counts an operation for which there was no answer.
    pub fn fell_back(&self, away: Away) {
        self.fallbacks.get_or_create(&PolicyLabels { policy: name(away) }).inc();
    }
}

fn name(policy: Away) -> &'static str {
    match policy {
        Away::Open => "open",
        Away::Closed => "closed",
        Away::Local => "local",
    }
}
