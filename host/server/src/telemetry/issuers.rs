//! Numbers of what the gateway asks issuers of tokens for.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Name;

/// Upper bounds of the histogram, in seconds, up to the longest that is waited for an issuer.
const TIMES: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    issuer: Name,
    request: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    issuer: Name,
    request: &'static str,
    result: &'static str,
}

/// The numbers of all issuers.
pub(super) struct Issuers {
    requests: Family<ResultLabels, Counter>,
    seconds: Family<RequestLabels, Histogram, fn() -> Histogram>,
    keys: Family<IssuerLabels, Gauge>,
}

/// The numbers of one issuer, for one kind of request.
#[derive(Clone)]
pub struct IssuerMetrics {
    /// Keys of it that can be used.
    pub keys: Gauge,
    done: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl Default for Issuers {
    fn default() -> Self {
        fn times() -> Histogram {
            Histogram::new(TIMES)
        }
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(times),
            keys: Family::default(),
        }
    }
}

impl Issuers {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "issuer_requests",
            "Requests of the gateway to issuers of tokens, by what was asked for and how that ended",
            self.requests.clone(),
        );
        gatewright.register_with_unit(
            "issuer_request_duration",
            "Time that such a request took, its failure included",
            Unit::Seconds,
            self.seconds.clone(),
        );
        gatewright.register(
            "issuer_keys",
            "Keys of an issuer that tokens are verified with",
            self.keys.clone(),
        );
    }

    pub(super) fn issuer(&self, issuer: &str, request: &'static str) -> IssuerMetrics {
        let issuer = Name(Arc::from(issuer));
        let results = |result| {
            let issuer = issuer.clone();
            self.requests.get_or_create_owned(&ResultLabels {
                issuer,
                request,
                result,
            })
        };
        IssuerMetrics {
            done: results("done"),
            failed: results("failed"),
            seconds: self.seconds.get_or_create_owned(&RequestLabels {
                issuer: issuer.clone(),
                request,
            }),
            keys: self.keys.get_or_create_owned(&IssuerLabels { issuer }),
        }
    }
}

impl IssuerMetrics {
    /// Counts a request.
    pub fn asked(&self, well: bool, took: Duration) {
        if well { &self.done } else { &self.failed }.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
