//! Numbers of stages: what they do, and how long they take.

use std::sync::Arc;
use std::time::Duration;

use gatewright_core::{Flow, Problem};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Name;

/// Upper bounds of the stages' histograms, in seconds: stages take microseconds.
const STAGE_TIMES: [f64; 10] = [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    route: Name,
    stage: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageOutcomeLabels {
    route: Name,
    stage: Name,
    outcome: &'static str,
}

/// The numbers of all stages.
pub(super) struct Stages {
    calls: Family<StageOutcomeLabels, Counter>,
    seconds: Family<StageLabels, Histogram, fn() -> Histogram>,
}

impl Default for Stages {
    fn default() -> Self {
        fn stage_times() -> Histogram {
            Histogram::new(STAGE_TIMES)
        }
        Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(stage_times),
        }
    }
}

impl Stages {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "stage_calls",
            "Requests that a stage has seen, by what it did",
            self.calls.clone(),
        );
        gatewright.register_with_unit(
            "stage_duration",
            "Time that a stage took for a request or a response",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }

    /// Numbers of one stage in one route.
    pub(super) fn stage(&self, route: &Arc<str>, stage: &Arc<str>) -> StageMetrics {
        let labels = StageLabels {
            route: Name(Arc::clone(route)),
            stage: Name(Arc::clone(stage)),
        };
        let calls = |outcome| {
            let labels = StageOutcomeLabels {
                route: Name(Arc::clone(route)),
                stage: Name(Arc::clone(stage)),
                outcome,
            };
            self.calls.get_or_create_owned(&labels)
        };
        StageMetrics {
            proceeded: calls("proceed"),
            answered: calls("answer"),
            failed: calls("problem"),
            seconds: self.seconds.get_or_create_owned(&labels),
        }
    }
}

/// Numbers of one stage in one route.
pub struct StageMetrics {
    proceeded: Counter,
    answered: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl StageMetrics {
    /// Counts a request.
    pub fn request(&self, flow: &Result<Flow, Problem>, took: Duration) {
        match flow {
            Ok(Flow::Proceed) => self.proceeded.inc(),
            Ok(Flow::Answer(_)) => self.answered.inc(),
            Err(_) => self.failed.inc(),
        };
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a response.
    pub fn response(&self, result: &Result<(), Problem>, took: Duration) {
        if result.is_err() {
            self.failed.inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }
}
