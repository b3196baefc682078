//! The start of a body, or all of it, for stages that look into bodies. What has been read is still there for whoever
//! comes after, trailers included.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use gatewright_core::{Body, BodyError, Exchange, Problem};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// What has been read of a body.
#[derive(Clone, Debug)]
pub struct Start {
    /// The bytes.
    pub bytes: Bytes,
    /// There are no more.
    pub complete: bool,
}

/// Waits for the start of a request's body. The exchange's time stands still meanwhile: how long a client may take to send
/// is for its listener to say. More than `limit` bytes may be read, and are kept, when a chunk goes beyond it, but no chunk
/// more.
///
/// # Errors
/// The body's own, 408 of a client that is too slow among them.
pub async fn of_request(exchange: &mut Exchange, limit: u64) -> Result<Start, Problem> {
    let began = Instant::now();
    let start = read(&mut exchange.body, limit).await;
    exchange.deadline += began.elapsed();
    start.map_err(|error| error.0)
}

/// Reads the start of a body.
///
/// # Errors
/// The body's own.
pub async fn read(body: &mut Body, limit: u64) -> Result<Start, BodyError> {
    let mut rest = body.take();
    let mut start = BytesMut::new();
    let mut trailers = None;
    let mut complete = true;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut rest).poll_frame(context)).await {
        match frame?.into_data() {
            Ok(data) => start.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if start.len() as u64 > limit {
            complete = false;
            break;
        }
    }
    let bytes = start.freeze();
    *body = match (complete, trailers) {
        (true, None) => Body::full(bytes.clone()),
        (complete, trailers) => Body::stream(Resumed {
            start: bytes.clone(),
            rest: if complete { Body::empty() } else { rest },
            trailers,
        }),
    };
    Ok(Start { bytes, complete })
}

/// What has been read, and what comes after it.
struct Resumed {
    start: Bytes,
    rest: Body,
    trailers: Option<HeaderMap>,
}

impl HttpBody for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let start = std::mem::take(&mut self.start);
        if !start.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        match Pin::new(&mut self.rest).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.is_end_stream() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let start = self.start.len() as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(start));
        }
        hint.set_lower(rest.lower().saturating_add(start));
        hint
    }
}
