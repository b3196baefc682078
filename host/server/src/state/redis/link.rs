//! A worker's connection to the server: made when it is first needed, watched, and made again when it breaks.
//!
//! A task owns it, so that no exchange waits longer than an operation may take, however long connecting takes. While
//! there is no connection operations fail at once; nobody queues up behind a server that is away.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright_config::units::format_duration;
use redis::{FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connecting::{self, Connection, RedisSettings};
use crate::telemetry::StateMetrics;

/// Operations in a row without an answer in time, after which the connection counts as broken.
const LATE: u32 = 5;
/// More than any number of a connection.
const OVER: u64 = u64::MAX;
/// Between two looks at a connection that is not used.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Before the second attempt to connect, and before all after some.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The connection of one worker.
pub(super) struct Link {
    shared: Arc<Shared>,
    /// Whether the task runs that owns the connection.
    kept: AtomicBool,
}

struct Shared {
    settings: Arc<RedisSettings>,
    metrics: StateMetrics,
    health: watch::Sender<Health>,
    /// Operations in a row that had no answer in time.
    late: AtomicU32,
    /// The last connection of which somebody found that it is broken; [`OVER`] when nobody needs one any more.
    broken: watch::Sender<u64>,
}

#[derive(Clone)]
enum Health {
    /// Nobody has asked for long enough to know.
    Starting,
    /// With its number, so that what goes wrong on one connection is not held against the next.
    Up(Connection, u64),
    Down(Arc<str>),
}

impl Link {
    pub(super) fn new(settings: &Arc<RedisSettings>, metrics: &StateMetrics) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings: Arc::clone(settings),
                metrics: metrics.clone(),
                health: watch::Sender::new(Health::Starting),
                late: AtomicU32::new(0),
                broken: watch::Sender::new(0),
            }),
            kept: AtomicBool::new(false),
        }
    }

    /// Runs a script, or says why it could not be.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, String> {
        if !self.kept.swap(true, Ordering::Relaxed) {
            tokio::spawn(keep(Arc::downgrade(&self.shared)));
        }
        let shared = &*self.shared;
        let began = std::time::Instant::now();
        let limit = shared.settings.timeout;
        let result = match timeout(limit, shared.run(script)).await {
            Ok(result) => result,
            Err(_) => {
                shared.was_late();
                Err(format!("no answer within {}", format_duration(limit)))
            }
        };
        shared.metrics.operation(result.is_ok(), began.elapsed());
        result
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.is_broken(OVER);
    }
}

impl Shared {
    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, String> {
        let (mut connection, number) = self.connection().await?;
        match connection.run(script).await {
            Ok(value) => {
                self.late.store(0, Ordering::Relaxed);
                Ok(value)
            }
            Err(error) => {
                if is_broken(&error) {
                    self.is_broken(number);
                }
                Err(error.to_string())
            }
        }
    }

    /// The connection and its number, as soon as there is one; at once when there is known to be none.
    async fn connection(&self) -> Result<(Connection, u64), String> {
        let mut health = self.health.subscribe();
        let known = health.wait_for(|health| !matches!(health, Health::Starting)).await;
        match known.as_deref() {
            Ok(Health::Up(connection, number)) => Ok((connection.clone(), *number)),
            Ok(Health::Down(reason)) => Err(reason.to_string()),
            Ok(Health::Starting) | Err(_) => Err("there is no connection yet".to_owned()),
        }
    }

    fn was_late(&self) {
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
            self.late.store(0, Ordering::Relaxed);
            if let Health::Up(_, number) = &*self.health.borrow() {
                self.is_broken(*number);
            }
        }
    }

    fn is_broken(&self, number: u64) {
        self.broken.send_modify(|known| *known = number.max(*known));
    }
}

/// Whether another connection may do better.
fn is_broken(error: &RedisError) -> bool {
    // What was the primary is a replica now.
    error.is_unrecoverable_error() || error.is_io_error() || error.code() == Some("READONLY")
}

/// Makes the connection of a worker, and makes it again each time it breaks, until nobody needs it.
async fn keep(shared: Weak<Shared>) {
    let mut pause = PAUSES.0;
    let mut number = 0;
    while let Some(shared) = shared.upgrade() {
        let reason = match connecting::connect(&shared.settings).await {
            Ok(connection) => {
                pause = PAUSES.0;
                number += 1;
                shared.health.send_replace(Health::Up(connection.clone(), number));
                shared.metrics.connected();
                tracing::debug!("connected to the state server");
                let reason = until_broken(&shared, connection, number).await;
                shared.metrics.disconnected();
                reason
            }
            Err(reason) => reason,
        };
        if *shared.broken.borrow() == OVER {
            return;
        }
        // Operators are told once for all workers, by `standing`.
        tracing::debug!(reason, "no connection to the state server");
        shared.health.send_replace(Health::Down(reason.into()));
        drop(shared);
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Until an operation or a look says that it is broken. Why.
async fn until_broken(shared: &Shared, mut connection: Connection, number: u64) -> String {
    let mut broken = shared.broken.subscribe();
    loop {
        let found = timeout(KEEP_ALIVE, broken.wait_for(|broken| *broken >= number))
            .await
            .is_ok();
        if found {
            return "operations failed".to_owned();
        }
        if let Err(reason) = connecting::probe(&mut connection, &shared.settings).await {
            return reason;
        }
    }
}

/// Half of it to all of it, so that workers and gateways do not come back all at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 512;
    pause.mul_f64((512 + random) as f64 / 1024.0)
}
