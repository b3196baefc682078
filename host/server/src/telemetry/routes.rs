//! Numbers of what becomes of requests, by route.

use std::sync::{Arc, PoisonError, RwLock};

use gatewright_core::{AccessRecord, Outcome, RouteName};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Name;

/// Upper bounds of the latency histograms, in seconds: from a cache hit to a slow report.
const LATENCIES: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    listener: Name,
    route: Name,
    method: &'static str,
    status: u16,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    route: Name,
    error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: Name,
}

/// The numbers of all routes.
pub(super) struct Routes {
    requests: Family<RequestLabels, Counter>,
    problems: Family<ProblemLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    upstream_seconds: Family<UpstreamLabels, Histogram, fn() -> Histogram>,
    request_bytes: Family<RouteLabels, Counter>,
    response_bytes: Family<RouteLabels, Counter>,
}

impl Default for Routes {
    fn default() -> Self {
        fn latencies() -> Histogram {
            Histogram::new(LATENCIES)
        }
        Self {
            requests: Family::default(),
            problems: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            upstream_seconds: Family::new_with_constructor(latencies),
            request_bytes: Family::default(),
            response_bytes: Family::default(),
        }
    }
}

impl Routes {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register("requests", "Exchanges that have ended", self.requests.clone());
        gatewright.register(
            "problems",
            "Exchanges that had a problem, by its code",
            self.problems.clone(),
        );
        gatewright.register_with_unit(
            "request_duration",
            "From a request's header section to the end of its response",
            Unit::Seconds,
            self.seconds.clone(),
        );
        gatewright.register_with_unit(
            "upstream_duration",
            "From asking an upstream to its response's header section",
            Unit::Seconds,
            self.upstream_seconds.clone(),
        );
        gatewright.register_with_unit(
            "request_body",
            "Body bytes from clients",
            Unit::Bytes,
            self.request_bytes.clone(),
        );
        gatewright.register_with_unit(
            "response_body",
            "Body bytes to clients",
            Unit::Bytes,
            self.response_bytes.clone(),
        );
    }

    /// Numbers of one route, of the upstream that it leads to, if any. Without a name, of requests that found no route.
    pub(super) fn route(&self, route: Option<&RouteName>, upstream: Option<&Arc<str>>) -> RouteNumbers {
        let route = Name(route.map_or_else(|| Arc::from(""), Arc::clone));
        let labels = RouteLabels { route: route.clone() };
        let upstream_seconds = upstream.map(|upstream| {
            let labels = UpstreamLabels {
                upstream: Name(Arc::clone(upstream)),
            };
            self.upstream_seconds.get_or_create_owned(&labels)
        });
        RouteNumbers {
            seconds: self.seconds.get_or_create_owned(&labels),
            request_bytes: self.request_bytes.get_or_create_owned(&labels),
            response_bytes: self.response_bytes.get_or_create_owned(&labels),
            upstream_seconds,
            problems: self.problems.clone(),
            requests: self.requests.clone(),
            seen: RwLock::default(),
            route,
        }
    }
}

/// Numbers of one route, found once: what every request counts is not looked up by its labels again.
pub(super) struct RouteNumbers {
    route: Name,
    seconds: Histogram,
    request_bytes: Counter,
    response_bytes: Counter,
    upstream_seconds: Option<Histogram>,
    problems: Family<ProblemLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    // A route has a handful of kinds of outcomes, mostly one.
    seen: RwLock<Vec<(RequestLabels, Counter)>>,
}

impl RouteNumbers {
    /// Counts what the record says.
    pub(super) fn count(&self, record: &AccessRecord) {
        self.seconds.observe(record.elapsed().as_secs_f64());
        if let (Some(seconds), Some(time)) = (&self.upstream_seconds, record.upstream_time) {
            seconds.observe(time.as_secs_f64());
        }
        if let Some(upload) = &record.upload {
            self.request_bytes.inc_by(upload.bytes());
        }
        self.response_bytes.inc_by(record.response_bytes);
        if let Some(problem) = record.problem {
            let labels = ProblemLabels {
                route: self.route.clone(),
                error: problem.code(),
            };
            self.problems.get_or_create(&labels).inc();
        }
        self.count_request(record);
    }

    fn count_request(&self, record: &AccessRecord) {
        let (method, status) = (known_method(record.method.as_str()), shown_status(record));
        let outcome = record.outcome.as_str();
        let is_this = |labels: &RequestLabels| {
            labels.status == status
                && labels.method == method
                && labels.outcome == outcome
                && labels.listener.0 == record.listener
        };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = seen.iter().find(|(labels, _)| is_this(labels)) {
            counter.inc();
            return;
        }
        drop(seen);
        let labels = RequestLabels {
            listener: Name(Arc::clone(&record.listener)),
            route: self.route.clone(),
            method,
            status,
            outcome,
        };
        let counter = self.requests.get_or_create_owned(&labels);
        counter.inc();
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if !seen.iter().any(|(labels, _)| is_this(labels)) {
            seen.push((labels, counter));
        }
    }
}

/// Methods are the client's to choose, labels are not.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// The status, or 499 for a client that left before it had one.
pub fn shown_status(record: &AccessRecord) -> u16 {
    match record.outcome {
        Outcome::ClientGone => 499,
        _ => record.status.unwrap_or(499),
    }
}
