//! A client that is served while others misbehave, and notes how long it waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::gateway::TestGateway;
use crate::raw_client::{RawClient, http};

/// Connections that take turns: with several, every worker of the gateway serves some.
const CONNECTIONS: usize = 8;
/// Between two requests: a client that asked without a pause would itself take what others are to be measured by.
const PACE: Duration = Duration::from_micros(500);
/// One request in so many goes to `/healthz`.
const HEALTH_EVERY: usize = 16;

/// A client that asks for one path, again and again, until it is told to stop. Each answer must be 200.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    client: JoinHandle<Latencies>,
}

/// How long a client had to wait.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    served: Vec<Duration>,
    health: Vec<Duration>,
}

impl Neighbour {
    /// Begins to ask, and returns after the first answers.
    pub fn start(gateway: &TestGateway, listener: &str, path: &str) -> Self {
        Self::at(gateway.addr(listener), gateway.admin(), path)
    }

    /// The same, for a gateway in another process.
    pub fn at(addr: SocketAddr, admin: SocketAddr, path: &str) -> Self {
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| RawClient::connect(addr)).collect();
        for client in &mut clients {
            assert_eq!(client.request("GET", path, &[], b"").status, 200);
        }
        let (stop, served, path) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicUsize>::default(),
            path.to_owned(),
        );
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&served));
        let client = std::thread::spawn(move || {
            let mut latencies = Latencies::default();
            for turn in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                let status = clients[turn % CONNECTIONS].request("GET", &path, &[], b"").status;
                latencies.served.push(began.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
                assert_eq!(status, 200, "request {turn}");
                std::thread::sleep(PACE);
                if turn % HEALTH_EVERY == 0 {
                    let began = Instant::now();
                    assert_eq!(http(admin, "GET", "/healthz", &[], b"").status, 200);
                    latencies.health.push(began.elapsed());
                }
            }
            latencies
        });
        Self { stop, served, client }
    }

    /// How many requests it has made so far.
    pub fn count(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Asks no more, and tells.
    pub fn stop(self) -> Latencies {
        self.stop.store(true, Ordering::Relaxed);
        self.client.join().expect("the neighbour is served")
    }
}

impl Latencies {
    /// How many requests it made.
    pub fn count(&self) -> usize {
        self.served.len()
    }

    /// The latency that 99 of 100 requests do not exceed.
    pub fn p99(&self) -> Duration {
        percentile(&self.served, 99)
    }

    /// Asserts that 99 of 100 requests were answered within `limit`, `/healthz` too, and prints what was measured.
    pub fn assert_below(&self, limit: Duration, what: &str) {
        let (middle, p99, longest) = (percentile(&self.served, 50), self.p99(), percentile(&self.served, 100));
        let health = percentile(&self.health, 99);
        eprintln!(
            "measured, {what}: {} requests of a neighbour, p50 {middle:?}, p99 {p99:?}, longest {longest:?}; \
             /healthz p99 {health:?}",
            self.count()
        );
        assert!(p99 < limit, "{what}: a neighbour's p99 is {p99:?}");
        assert!(health < limit, "{what}: /healthz takes {health:?}");
    }
}

fn percentile(latencies: &[Duration], percent: usize) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}
