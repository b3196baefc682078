//! Numbers of the stage `waf`.

use std::sync::Arc;

use gatewright_config::{WafMode, WafRule};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Name;

/// What has been found in all routes.
#[derive(Default)]
pub struct Findings(Family<Labels, Counter>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: Name,
    rule: &'static str,
    mode: &'static str,
}

/// What one stage has found, by rule.
#[derive(Clone, Debug, Default)]
pub struct WafMetrics(Vec<(WafRule, Counter)>);

impl Findings {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("waf_findings", "What the stage `waf` found", self.0.clone());
    }

    /// Those of one stage of a route.
    pub fn of(&self, route: &Arc<str>, mode: WafMode) -> WafMetrics {
        let counter = |rule: WafRule| {
            let labels = Labels {
                route: Name(Arc::clone(route)),
                rule: rule.id(),
                mode: match mode {
                    WafMode::Block => "block",
                    WafMode::Detect => "detect",
                },
            };
            (rule, self.0.get_or_create_owned(&labels))
        };
        WafMetrics(WafRule::ALL.map(counter).into())
    }
}

impl WafMetrics {
    /// A rule has found something.
    pub fn found(&self, rule: WafRule) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == rule) {
            counter.inc();
        }
    }
}
