//! One request and its whole response, within a time and a size: what the gateway itself and its plugins ask for.

use std::net::IpAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gatewright_core::Body;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::connect::ConnectError;
use super::pool::Lease;
use super::target::Target;
use super::{Failure, causes};
use crate::fields;

/// How often a request goes out on connections that turn out to be closed.
const MAX_ATTEMPTS: usize = 4;

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The name has no address.
    #[error("{0}")]
    Dns(String),
    /// The name stands for an address that it may not stand for.
    #[error("its address is private: {0}")]
    Private(IpAddr),
    /// Nobody answers there.
    #[error("{0}")]
    Connect(String),
    /// The other side is not who it should be, or speaks no TLS.
    #[error("{0}")]
    Tls(String),
    /// It does not speak HTTP, or not to its end.
    #[error("{0}")]
    Protocol(String),
    /// The response is larger than it may be.
    #[error("the response is too large")]
    TooLarge,
}

/// Sends a request, complete with `Host`, and reads the response, which must have come to its end by the `deadline` and have
/// at most `limit` bytes. Redirects are responses like any other.
///
/// # Errors
/// When there is no such response.
pub async fn call(
    target: &Target,
    request: &http::Request<Bytes>,
    deadline: Instant,
    limit: usize,
) -> Result<http::Response<Bytes>, CallError> {
    let replayable = request.body().is_empty() && request.method().is_safe();
    let mut fresh_only = false;
    for _ in 0..MAX_ATTEMPTS {
        let mut lease = match target.pool.take(Instant::now()).filter(|_| !fresh_only) {
            Some(lease) => lease,
            None => target
                .connect(deadline)
                .await
                .map_err(|error| unreachable(&error, deadline))?,
        };
        match lease.send(copy(request), deadline).await {
            Ok(response) => return receive(response, lease, deadline, limit).await,
            Err(Failure::Unsent(_)) => {}
            Err(Failure::Broken { reused: true, .. }) if replayable => {}
            Err(Failure::Broken { error, .. }) => return Err(CallError::Protocol(causes(&error))),
            Err(Failure::Late) => return Err(CallError::Timeout),
        }
        // One kept connection was closed; the others probably are too.
        fresh_only = true;
    }
    Err(CallError::Connect("it closes every connection".to_owned()))
}

fn copy(request: &http::Request<Bytes>) -> http::Request<Body> {
    let mut sent = http::Request::new(Body::full(request.body().clone()));
    *sent.method_mut() = request.method().clone();
    *sent.uri_mut() = request.uri().clone();
    *sent.headers_mut() = request.headers().clone();
    sent
}

fn unreachable(error: &ConnectError, deadline: Instant) -> CallError {
    match error {
        ConnectError::TimedOut if Instant::now() >= deadline => CallError::Timeout,
        ConnectError::Private(address) => CallError::Private(*address),
        ConnectError::Resolve(_) => CallError::Dns(error.to_string()),
        ConnectError::TimedOut | ConnectError::Connect(_) | ConnectError::Http(_) => {
            CallError::Connect(error.to_string())
        }
        ConnectError::Tls(_) => CallError::Tls(error.to_string()),
    }
}

/// Reads the whole response, and keeps the connection when there is nothing left of it.
pub(super) async fn receive(
    response: http::Response<Incoming>,
    lease: Lease,
    deadline: Instant,
    limit: usize,
) -> Result<http::Response<Bytes>, CallError> {
    let (parts, mut incoming) = response.into_parts();
    if parts.status.is_informational() {
        return Err(CallError::Protocol("it switches to another protocol".to_owned()));
    }
    if incoming.size_hint().lower() > limit as u64 {
        return Err(CallError::TooLarge);
    }
    let mut body = BytesMut::new();
    loop {
        let frame = tokio::time::timeout_at(deadline.into(), incoming.frame()).await;
        let Some(frame) = frame.map_err(|_elapsed| CallError::Timeout)? else {
            break;
        };
        let frame = frame.map_err(|error| CallError::Protocol(causes(&error)))?;
        // Trailers have no place in what is handed over.
        if let Some(data) = frame.data_ref() {
            if data.len() > limit - body.len() {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(data);
        }
    }
    lease.give_back(Instant::now());
    let mut headers = parts.headers;
    fields::clean_response(&mut headers);
    let mut response = http::Response::new(body.freeze());
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    Ok(response)
}
