//! Numbers of listeners: what is open, what is under way, and handshakes that came to nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Name;

/// How often a reason is logged at most: clients can cause failures at any rate.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    listener: Name,
    reason: &'static str,
}

/// The numbers of all listeners.
#[derive(Default)]
pub(super) struct Listeners {
    connections: Family<ListenerLabels, Gauge>,
    requests: Family<ListenerLabels, Gauge>,
    failures: Family<FailureLabels, Counter>,
}

/// The numbers of one listener. Those of the default are nobody's.
#[derive(Clone, Default)]
pub struct ListenerMetrics {
    /// Connections that are open.
    pub connections: Gauge,
    /// Requests that are in flight.
    pub requests: Gauge,
    handshakes: Arc<Handshakes>,
}

#[derive(Default)]
struct Handshakes {
    listener: Option<Name>,
    failures: Family<FailureLabels, Counter>,
    /// By reason: when it was logged last, and how many failures have not been since.
    logged: Mutex<HashMap<&'static str, (Instant, u64)>>,
}

impl Listeners {
    pub(super) fn register(&self, gatewright: &mut Registry) {
        gatewright.register(
            "connections",
            "Connections of clients that are open",
            self.connections.clone(),
        );
        gatewright.register(
            "requests_in_flight",
            "Requests whose response has not come to its end",
            self.requests.clone(),
        );
        gatewright.register(
            "tls_handshake_failures",
            "Connections of clients that ended in the TLS handshake, by reason",
            self.failures.clone(),
        );
    }

    pub(super) fn listener(&self, listener: &str) -> ListenerMetrics {
        let labels = ListenerLabels {
            listener: Name(listener.into()),
        };
        ListenerMetrics {
            connections: self.connections.get_or_create_owned(&labels),
            requests: self.requests.get_or_create_owned(&labels),
            handshakes: Arc::new(Handshakes {
                listener: Some(labels.listener),
                failures: self.failures.clone(),
                logged: Mutex::default(),
            }),
        }
    }
}

impl ListenerMetrics {
    /// Counts a handshake that came to nothing. How many there were with this reason since it was logged last, this one
    /// included, when it is time to log it again.
    pub fn handshake_failed(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let Handshakes {
            listener,
            failures,
            logged,
        } = &*self.handshakes;
        if let Some(listener) = listener.clone() {
            failures.get_or_create(&FailureLabels { listener, reason }).inc();
        }
        let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
        match logged.get_mut(reason) {
            Some((at, unsaid)) if now.saturating_duration_since(*at) < INTERVAL => {
                *unsaid += 1;
                None
            }
            known => {
                let count = known.map_or(0, |(_, unsaid)| *unsaid) + 1;
                logged.insert(reason, (now, 0));
                Some(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_logged_once_a_second_with_how_many_there_were() {
        let (metrics, start) = (Listeners::default().listener("a"), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(metrics.handshake_failed("timeout", at(0)), Some(1));
        assert_eq!(metrics.handshake_failed("closed", at(0)), Some(1));
        for time in 1..=20 {
            assert_eq!(metrics.handshake_failed("timeout", at(time)), None);
        }
        assert_eq!(metrics.handshake_failed("timeout", at(1000)), Some(21));
        assert_eq!(metrics.handshake_failed("timeout", at(2000)), Some(1));
    }
}
