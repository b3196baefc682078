//! One target of an upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatewright_config::{TargetConfig, UpstreamConfig};
use http::HeaderValue;
use rustls::ClientConfig;

use super::connect::{ConnectError, Connector, SetupError};
use super::health::{Group, Health, Outcome};
use super::pool::{Lease, Pool};
use super::screen::Screen;
use crate::telemetry::facts::TARGET_STATES;

/// One target of an upstream.
pub struct Target {
    /// Scheme, host and port, for records.
    pub name: Arc<str>,
    /// `Host` of its requests, unless the client's is kept.
    pub authority: HeaderValue,
    /// Path before every request's.
    pub base_path: String,
    /// Connections kept to it.
    pub pool: Arc<Pool>,
    connector: Connector,
    connect_timeout: Duration,
    /// Whether the last attempt to connect to it succeeded.
    reachable: AtomicBool,
    /// None where it is never left out.
    health: Option<Health>,
}

impl Target {
    /// A target without connections.
    ///
    /// # Errors
    /// When its host makes no sense.
    pub fn new(
        target: &TargetConfig,
        upstream: &UpstreamConfig,
        tls: &Option<Arc<ClientConfig>>,
        workers: usize,
    ) -> Result<Self, SetupError> {
        let (scheme, default_port) = if target.tls { ("https", 443) } else { ("http", 80) };
        let host = if target.host.contains(':') {
            format!("[{}]", target.host)
        } else {
            target.host.clone()
        };
        let authority = if target.port == default_port {
            host.clone()
        } else {
            format!("{host}:{}", target.port)
        };
        Ok(Self {
            name: format!("{scheme}://{host}:{}", target.port).into(),
            authority: HeaderValue::try_from(authority).map_err(|_| SetupError::server_name(target))?,
            base_path: target.base_path.clone(),
            pool: Pool::new(workers, upstream.idle_connections, upstream.idle_timeout),
            connector: Connector::new(target, upstream, tls)?,
            connect_timeout: upstream.connect_timeout,
            reachable: AtomicBool::new(true),
            health: None,
        })
    }

    /// Is left out for a while when it fails too often.
    pub fn watched(mut self, group: Option<&Arc<Group>>) -> Self {
        self.health = group.map(|group| Health::new(group, &self.name));
        self
    }

    /// Whether it gets the next request.
    pub fn takes(&self, now: Instant) -> bool {
        self.health.as_ref().is_none_or(|health| health.takes(now))
    }

    /// How it stands, in the words of metrics.
    pub fn state(&self) -> &'static str {
        let [up, unreachable, ejected] = TARGET_STATES;
        match &self.health {
            Some(health) if health.is_left_out() => ejected,
            _ if !self.reachable.load(Ordering::Relaxed) => unreachable,
            _ => up,
        }
    }

    /// Whether it is left out and gets a request all the same, because there is nobody else: that one tries it too.
    pub fn takes_as_last_resort(&self) -> bool {
        self.health.as_ref().is_some_and(Health::takes_as_last_resort)
    }

    /// The time, where somebody asks how long it takes to answer, and else when the upstream was asked: the clock costs.
    pub fn time_of_sending(&self, asked: Instant) -> Instant {
        self.health.as_ref().map_or(asked, |_| Instant::now())
    }

    /// What became of a request that it got.
    pub fn saw(&self, outcome: Outcome, now: Instant) {
        if let Some(health) = &self.health {
            health.saw(outcome, now);
        }
    }

    /// Connects to addresses only that `screen` lets through.
    pub fn screened(self, screen: Screen) -> Self {
        Self {
            connector: self.connector.screened(screen),
            ..self
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// When it cannot be had, also when it cannot by the `deadline`.
    pub async fn connect(&self, deadline: Instant) -> Result<Lease, ConnectError> {
        let patience = deadline.min(Instant::now() + self.connect_timeout);
        let connecting = tokio::time::timeout_at(patience.into(), self.connector.connect());
        let connected = connecting.await.unwrap_or(Err(ConnectError::TimedOut));
        self.reachable.store(connected.is_ok(), Ordering::Relaxed);
        Ok(self.pool.lease(connected?))
    }
}
