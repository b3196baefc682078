//! The start of a body, or all of it, for whoever looks into bodies. What has been read is still there for whoever comes
//! after, trailers included.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError};

/// What has been read of a body.
#[derive(Clone, Debug)]
pub struct Start {
    /// The bytes.
    pub bytes: Bytes,
    /// There are no more.
    pub complete: bool,
}

impl Body {
    /// Reads the start of the body, which stays where it is. More than `limit` bytes may be read, and are kept, when a chunk
    /// goes beyond it, but no chunk more.
    ///
    /// # Errors
    /// The body's own.
    pub async fn read_start(&mut self, limit: u64) -> Result<Start, BodyError> {
        let mut rest = self.take();
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
        *self = match (complete, trailers) {
            (true, None) => Body::full(bytes.clone()),
            (complete, trailers) => Body::stream(Resumed {
                start: bytes.clone(),
                rest: if complete { Body::empty() } else { rest },
                trailers,
            }),
        };
        Ok(Start { bytes, complete })
    }
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
