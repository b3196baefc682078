//! Numbers of the targets of upstreams that are left out because they fail too often.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Name;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: Name,
}

/// The numbers of all upstreams.
#[derive(Default)]
pub(super) struct Ejections {
    ejections: Family<UpstreamLabels, Counter>,
    ejected: Family<UpstreamLabels, Gauge>,
}

/// The numbers of one upstream.
pub struct EjectionMetrics {
    ejections: Counter,
    ejected: Gauge,
}

impl Ejections {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "upstream_ejections",
            "Targets that were left out because they failed too often",
            self.ejections.clone(),
        );
        gatewright.register(
            "upstream_ejected_targets",
            "Targets that are left out now",
            self.ejected.clone(),
        );
    }

    pub(super) fn upstream(&self, upstream: &str) -> EjectionMetrics {
        let labels = UpstreamLabels {
            upstream: Name(upstream.into()),
        };
        EjectionMetrics {
            ejections: self.ejections.get_or_create_owned(&labels),
            ejected: self.ejected.get_or_create_owned(&labels),
        }
    }
}

impl EjectionMetrics {
    /// One is left out (1), or is no more (-1).
    pub fn ejected(&self, change: i64) {
        if change > 0 {
            self.ejections.inc();
        }
        self.ejected.inc_by(change);
    }
}
