//! Numbers of new versions of plugins on trial.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Name;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CandidateLabels {
    plugin: Name,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: Name,
}

/// The numbers of all candidates.
#[derive(Default)]
pub(super) struct Candidates {
    requests: Family<CandidateLabels, Counter>,
    on_trial: Family<PluginLabels, Gauge>,
}

/// Numbers of one plugin's candidate.
#[derive(Clone, Debug)]
pub struct CandidateMetrics {
    /// 1 while one is on trial.
    pub on_trial: Gauge,
    /// Requests that a canary served.
    pub served: Counter,
    /// Requests that a shadow answered as the version that serves.
    pub same: Counter,
    /// … with other edits.
    pub other_edits: Counter,
    /// … with another decision.
    pub other_decision: Counter,
    /// … was not asked about, because others were under way.
    pub left_out: Counter,
}

impl Candidates {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "plugin_candidate_requests",
            "Requests that new versions of plugins on trial had to do with",
            self.requests.clone(),
        );
        gatewright.register(
            "plugin_candidates",
            "New versions of plugins that are on trial",
            self.on_trial.clone(),
        );
    }

    /// Numbers of the candidate of that plugin.
    pub(super) fn candidate(&self, plugin: &Arc<str>) -> CandidateMetrics {
        let plugin = Name(Arc::clone(plugin));
        let requests = |outcome| {
            let plugin = plugin.clone();
            self.requests.get_or_create_owned(&CandidateLabels { plugin, outcome })
        };
        CandidateMetrics {
            served: requests("served"),
            same: requests("same"),
            other_edits: requests("other_edits"),
            other_decision: requests("other_decision"),
            left_out: requests("left_out"),
            on_trial: self.on_trial.get_or_create_owned(&PluginLabels { plugin }),
        }
    }
}
