//! One request on its way through the gateway, and everything known about it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Version};

use bytes::Bytes;

use crate::body::CollectError;
use crate::path::Encodings;
use crate::{AccessRecord, Attributes, Body, Client, Counted, Interim, Parameters, Value};

/// What goes back to the client.
pub type Response = http::Response<Body>;

/// The name of a route.
pub type RouteName = Arc<str>;

/// Identifies an exchange in responses, logs and plugins. Unique in this process, and with great likelihood anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId {
    /// Random, the same for all exchanges of a process.
    pub process: u64,
    /// Counts up within the process.
    pub number: u64,
}

impl fmt::Display for ExchangeId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.process, self.number)
    }
}

/// A request's line and header section, checked and brought to normal form.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// `https` when the client spoke TLS, to this gateway or to a trusted proxy before it.
    pub secure: bool,
    /// The authority that the client asked for: `Host` or `:authority` as sent, or what a trusted proxy says of them.
    pub authority: HeaderValue,
    /// The authority's host: lower case, without port. Every decision by host uses this one.
    pub host: String,
    /// Path in normal form, and query as sent. Every decision by path uses this one, and it is what is forwarded.
    pub target: PathAndQuery,
    /// Which percent-encoding its path may have, as its route says.
    pub encodings: Encodings,
    /// The client's version.
    pub version: Version,
    /// Header fields without `Host` and without hop-by-hop fields.
    pub headers: HeaderMap,
}

impl Request {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Path in normal form.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// Query without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }
}

/// What a limit says of the client's next requests; the tightest one that the exchange met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that may come at once.
    pub limit: u64,
    /// Requests that may still come now.
    pub remaining: u64,
    /// Until all may come again.
    pub reset: Duration,
    /// Who counted.
    pub counted: Counted,
}

/// One request on its way through the gateway.
pub struct Exchange {
    /// Identifies it.
    pub id: ExchangeId,
    /// The time as the clock was last looked at, which costs: what needs no more than that takes it from here, and
    /// who looks leaves it here.
    pub now: Instant,
    /// When the exchange must be over. Moved on by the time in which the gateway waits for the client's body, which has
    /// limits of its own.
    pub deadline: Instant,
    /// Who sent it.
    pub client: Client,
    /// Its head. Stages edit it; what is there after the last one is what the integration sees.
    pub request: Request,
    /// Its body.
    pub body: Body,
    /// The route that serves it.
    pub route: RouteName,
    /// Path parameters that the route captured.
    pub parameters: Parameters,
    /// What stages found out.
    pub attributes: Attributes,
    /// Header fields that stages have for the client; the stage that put them here adds them to the response.
    pub for_response: HeaderMap,
    /// The tightest limit that it met, for the response's `RateLimit-*` fields.
    pub rate_limit: Option<RateLimit>,
    /// Takes interim responses, where the client may have some.
    pub interim: Option<Arc<dyn Interim>>,
    /// What becomes of it; written when dropped.
    pub record: AccessRecord,
}

impl Exchange {
    /// Who the client is, as an authentication stage or an authorizer proved: the attribute `auth.principal`.
    pub fn principal(&self) -> Option<&str> {
        self.record.principal.as_deref()
    }

    /// Notes who the client proved to be, and by what: the attributes `auth.principal` and `auth.authorizer`. Whoever proves
    /// it later in the chain has the last word.
    pub fn authenticate(&mut self, authorizer: &'static str, principal: &str) {
        self.record.principal = Some(principal.to_owned());
        self.attributes.set("auth.principal", Value::Text(principal.to_owned()));
        self.attributes
            .set("auth.authorizer", Value::Text(authorizer.to_owned()));
    }

    /// Takes all of the request's body, of at most `limit` bytes. The exchange's time stands still meanwhile.
    ///
    /// # Errors
    /// As [`Body::collect`].
    pub async fn collect_body(&mut self, limit: u64) -> Result<Bytes, CollectError> {
        let body = self.body.take();
        if !body.is_stream() {
            return body.collect(limit).await;
        }
        let began = Instant::now();
        let collected = body.collect(limit).await;
        self.deadline += began.elapsed();
        collected
    }

    /// Looks at the clock: the time, and how long ago it was looked at before.
    pub fn look_at_clock(&mut self) -> (Instant, Duration) {
        let before = std::mem::replace(&mut self.now, Instant::now());
        (self.now, self.now.saturating_duration_since(before))
    }

    /// Notes a limit; the one with the fewest requests left is told to the client.
    pub fn note_limit(&mut self, limit: RateLimit) {
        if self.rate_limit.is_none_or(|known| limit.remaining < known.remaining) {
            self.rate_limit = Some(limit);
            self.record.limit_remaining = Some(limit.remaining);
        }
    }
}
