//! Requests of plugins, as the one who sends them sees them: checked, to an origin that is granted.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;

/// Sends requests of one plugin. It is told which of the origins of `grants.http` a request is for, connects to that
/// one and no other, and follows no redirects.
pub trait HttpClient: Send + Sync {
    /// Sends a request and waits for the whole response, until the deadline at most. Dropped when the plugin's call is
    /// over before.
    fn send(&self, outbound: Outbound) -> Sending<'_>;
}

/// A response that is waited for.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, OutboundError>> + Send + 'a>>;

/// A request of a plugin.
#[derive(Debug)]
pub struct Outbound {
    /// Which of the origins of `grants.http` it is for.
    pub origin: usize,
    /// Its URI is path and query; it has no `Host`.
    pub request: http::Request<Bytes>,
    /// When the whole response must be there.
    pub deadline: Instant,
    /// Bytes of the response's body.
    pub max_response_bytes: usize,
    /// `Via` of the exchange that it is sent for, so that a request that comes back is noticed.
    pub came_by: Vec<HeaderValue>,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboundError {
    /// The host has no address that may be connected to.
    Private(String),
    /// The name does not resolve.
    Dns(String),
    /// Nobody answers.
    Connect(String),
    /// The other side is not who it should be, or speaks no TLS.
    Tls(String),
    /// No response in time.
    Timeout,
    /// The response is longer than it may be.
    TooLarge,
    /// The response is not HTTP.
    Protocol(String),
}
