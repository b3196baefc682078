//! Where clients come in: sockets, TLS, and the HTTP connection.
//!
//! ```text
//! accept::run -> connection::serve (a task of its own) -> Gateway::handle
//! ```

pub mod accept;
pub mod bind;
pub mod certificate;
pub mod connection;
pub mod framing;
pub mod guard;
mod handshake;
pub mod http2;
pub mod interim;
mod newcomers;
pub mod permits;
pub mod shedding;
pub mod socket;
pub mod tls;

mod chunk_extension;
pub(crate) mod framing_line;

use std::sync::Arc;
use std::time::Duration;

use gatewright_config::{ListenerConfig, ListenerTls};
use tokio_rustls::TlsAcceptor;

use self::guard::Patience;
use crate::telemetry::ListenerMetrics;

/// What a listener's connections are served with. A reload replaces it for connections that come later.
pub struct Settings {
    /// The listener's name.
    pub name: Arc<str>,
    /// TLS, where it is spoken.
    pub tls: Option<TlsAcceptor>,
    /// Its numbers.
    pub numbers: ListenerMetrics,
    /// HTTP/1.1 is spoken.
    pub http1: bool,
    /// HTTP/2 is spoken.
    pub http2: bool,
    /// How long a client may take.
    pub patience: Patience,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// Bytes of a header section.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// HTTP/2 streams at once.
    pub streams: u32,
    /// Leading bits of an IPv6 address that make one client of limits by address.
    pub ipv6_prefix: u8,
}

impl Settings {
    /// What the configuration says.
    ///
    /// # Errors
    /// When certificate or key cannot be used.
    pub fn new(name: &str, config: &ListenerConfig) -> Result<Self, tls::TlsError> {
        let limits = &config.limits;
        let acceptor = |tls: &ListenerTls| tls::acceptor(tls, config.http1, config.http2);
        Ok(Self {
            name: name.into(),
            tls: config.tls.as_ref().map(acceptor).transpose()?,
            numbers: ListenerMetrics::default(),
            http1: config.http1,
            http2: config.http2,
            patience: Patience {
                header: limits.header_timeout,
                idle: limits.idle_timeout,
                write: limits.body_timeout,
            },
            handshake_timeout: limits.handshake_timeout,
            header_bytes: usize::try_from(limits.header_bytes.0).unwrap_or(usize::MAX),
            header_count: limits.header_count,
            streams: limits.streams,
            ipv6_prefix: limits.ipv6_prefix,
        })
    }
}
