//! Bodies that come in over a connection, on their way to the other side: bounded, paced, counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{BodyError, Problem, ProblemKind};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::fields;
use crate::upstream::causes;
use crate::upstream::pool::Lease;

/// Whose body it is: decides what its failures mean, and what its end is good for.
pub enum Sender {
    /// A request's body.
    Client,
    /// A response's body, and the connection that is free when it has come whole, with the time as its header section
    /// came.
    Upstream(Option<(Lease, std::time::Instant)>),
}

impl Sender {
    fn stalled(&self) -> BodyError {
        let kind = match self {
            Self::Client => ProblemKind::RequestTimeout,
            Self::Upstream(_) => ProblemKind::IntegrationTimeout,
        };
        BodyError::new(kind, "nothing of the body came for too long")
    }

    fn broken(&self, error: &hyper::Error) -> BodyError {
        let kind = match self {
            Self::Upstream(_) => ProblemKind::IntegrationFailure,
            Self::Client if is_malformed(error) => ProblemKind::BadRequest,
            Self::Client => ProblemKind::ClientClosed,
        };
        BodyError::new(kind, causes(error))
    }

    fn poll(
        &self,
        body: Pin<&mut Incoming>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Upstream(Some((lease, _))) => lease.poll_body(body, context),
            Self::Upstream(None) | Self::Client => body.poll_frame(context),
        }
    }

    /// The body has come whole. A body that was waited for came later than its header section.
    fn complete(&mut self, waited: bool) {
        if let Self::Upstream(lease) = self
            && let Some((lease, answered)) = lease.take()
        {
            lease.give_back(if waited { std::time::Instant::now() } else { answered });
        }
    }
}

/// Whether a body broke off because its bytes make no sense, not because the connection did.
fn is_malformed(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData
            );
        }
        source = cause.source();
    }
    error.is_parse()
}

pin_project_lite::pin_project! {
    /// A body that comes in over a connection.
    pub struct IncomingBody {
        #[pin]
        inner: Incoming,
        sender: Sender,
        limit: u64,
        received: u64,
        patience: Duration,
        alarm: Alarm,
        // When patience ends, while nothing comes.
        stalled_at: Option<Instant>,
        waited: bool,
        counter: Option<Arc<AtomicU64>>,
    }
}

impl IncomingBody {
    /// A body of at most `limit` bytes that pauses for at most `patience`. `counter` adds up its bytes.
    pub fn new(
        inner: Incoming,
        sender: Sender,
        limit: u64,
        patience: Duration,
        counter: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            inner,
            sender,
            limit,
            received: 0,
            patience,
            alarm: Alarm::default(),
            stalled_at: None,
            waited: false,
            counter,
        }
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        let Poll::Ready(frame) = this.sender.poll(this.inner.as_mut(), context) else {
            *this.waited = true;
            let stalled_at = *this.stalled_at.get_or_insert_with(|| Instant::now() + *this.patience);
            let stalled = this.alarm.poll(stalled_at, context);
            return stalled.map(|()| Some(Err(this.sender.stalled())));
        };
        *this.stalled_at = None;
        Poll::Ready(match frame {
            None => {
                this.sender.complete(*this.waited);
                None
            }
            Some(Err(error)) => Some(Err(this.sender.broken(&error))),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                *this.received += length;
                if let Some(counter) = this.counter {
                    counter.fetch_add(length, Ordering::Relaxed);
                }
                if *this.received > *this.limit {
                    return Poll::Ready(Some(Err(BodyError(
                        Problem::new(ProblemKind::RequestTooLarge).closing(),
                    ))));
                }
                // hyper does not ask for the end of a body that it knows to be complete.
                if this.inner.is_end_stream() {
                    this.sender.complete(*this.waited);
                }
                Some(Ok(match frame.into_trailers() {
                    Ok(trailers) => Frame::trailers(without_forbidden(trailers)),
                    Err(frame) => frame,
                }))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Trailers without the fields that must not be among them (RFC 9110, section 6.5.1).
fn without_forbidden(mut trailers: HeaderMap) -> HeaderMap {
    for name in fields::NOT_IN_TRAILERS {
        trailers.remove(name);
    }
    trailers
}
