//! Where access records go: into the numbers, and into the log if there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatewright_config::LogField;
use gatewright_core::{AccessRecord, Recorder, RouteName};

use super::Metrics;
use super::routes::RouteNumbers;
use crate::access_log::AccessLog;

/// Where access records go: into the numbers, and into the log if there is one. As it is, it takes the records of
/// requests that found no route.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    access_log: Option<AccessLog>,
    unrouted: RouteNumbers,
    cuts_off: AtomicBool,
}

impl Telemetry {
    /// Records go to these.
    pub fn new(metrics: Arc<Metrics>, access_log: Option<AccessLog>) -> Arc<Self> {
        let unrouted = metrics.routes.route(None, None);
        Arc::new(Self {
            metrics,
            access_log,
            unrouted,
            cuts_off: AtomicBool::new(false),
        })
    }

    /// Takes the records of one route, which leads to that upstream, if to any.
    pub fn route(self: &Arc<Self>, route: &RouteName, upstream: Option<&Arc<str>>) -> Arc<dyn Recorder> {
        Arc::new(RouteTelemetry {
            numbers: self.metrics.routes.route(Some(route), upstream),
            telemetry: Arc::clone(self),
        })
    }

    /// From now on the process ends what is under way.
    pub fn cut_off(&self) {
        self.cuts_off.store(true, Ordering::Release);
    }

    /// Opens the access log's file anew, some time soon.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// The fields of the access log; none where there is no log.
    pub fn log_fields(&self) -> &[LogField] {
        self.access_log.as_ref().map_or(&[], AccessLog::fields)
    }

    fn log(&self, record: &AccessRecord) {
        if let Some(log) = &self.access_log {
            log.write(record);
        }
    }
}

impl Recorder for Telemetry {
    fn record(&self, record: &AccessRecord) {
        self.unrouted.count(record);
        self.log(record);
    }

    fn cuts_off(&self) -> bool {
        self.cuts_off.load(Ordering::Acquire)
    }
}

/// Where the access records of one route go.
struct RouteTelemetry {
    telemetry: Arc<Telemetry>,
    numbers: RouteNumbers,
}

impl Recorder for RouteTelemetry {
    fn record(&self, record: &AccessRecord) {
        self.numbers.count(record);
        self.telemetry.log(record);
    }

    fn cuts_off(&self) -> bool {
        self.telemetry.cuts_off()
    }
}
