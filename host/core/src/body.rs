//! The body of a request or response: nothing, bytes that are there, or a stream.

mod start;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

pub use self::start::Start;
use crate::{Problem, ProblemKind};

/// Why a body ended early. Whoever passes it on must not let the other side take it for a clean end.
#[derive(Clone, Debug)]
pub struct BodyError(pub Problem);

impl BodyError {
    /// An error of that kind with a cause for the log.
    pub fn new(kind: ProblemKind, cause: impl fmt::Display) -> Self {
        Self(Problem::new(kind).with_cause(cause))
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BodyError {}

/// The body of a request or response. Streams are pulled: who does not poll exerts backpressure.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// No bytes and no trailers.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// Bytes that are there.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() {
            Kind::Empty
        } else {
            Kind::Full(bytes)
        })
    }

    /// A stream of bytes and perhaps trailers.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self(Kind::Stream(Box::pin(body)))
    }

    /// Leaves an empty body in its place.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Whether the body is known to have no bytes and no trailers. A stream may turn out empty all the same.
    pub fn is_empty(&self) -> bool {
        self.is_end_stream()
    }

    /// Whether bytes have to be waited for.
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream(_))
    }

    /// All bytes at once, up to a limit in bytes; trailers are dropped.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`] as soon as more than `limit` bytes are known to come, and the body's own error.
    pub async fn collect(self, limit: u64) -> Result<Bytes, CollectError> {
        if self.size_hint().lower() > limit {
            return Err(CollectError::TooLarge);
        }
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Full(bytes) => Ok(bytes),
            Kind::Stream(stream) => collect_stream(stream, limit).await,
        }
    }
}

/// Why a body could not be collected.
#[derive(Clone, Debug)]
pub enum CollectError {
    /// It has more bytes than allowed.
    TooLarge,
    /// It ended early.
    Body(BodyError),
}

async fn collect_stream(
    mut stream: Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>,
    limit: u64,
) -> Result<Bytes, CollectError> {
    let mut first = Bytes::new();
    // Chunks are copied together: keeping many small ones would keep the large read buffers they are slices of.
    let mut rest = BytesMut::new();
    while let Some(frame) = stream.frame().await {
        let Ok(data) = frame.map_err(CollectError::Body)?.into_data() else {
            continue;
        };
        let length = first.len() + rest.len() + data.len();
        if length as u64 > limit {
            return Err(CollectError::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Stream(stream) => stream.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body::Empty"),
            Kind::Full(bytes) => write!(f, "Body::Full({} bytes)", bytes.len()),
            Kind::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    struct Chunks(VecDeque<&'static str>);

    impl HttpBody for Chunks {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(Bytes::from(chunk)))))
        }
    }

    fn collect(chunks: &[&'static str], limit: u64) -> Result<Bytes, CollectError> {
        let body = Body::stream(Chunks(chunks.iter().copied().collect()));
        let mut future = Box::pin(body.collect(limit));
        match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("a body of ready chunks does not wait"),
        }
    }

    #[test]
    fn chunks_are_joined_in_order() {
        assert_eq!(collect(&["ab", "", "c", "de"], 5).unwrap(), "abcde");
    }

    #[test]
    fn a_body_over_the_limit_is_refused_however_it_is_cut() {
        assert!(matches!(collect(&["abc", "def"], 5), Err(CollectError::TooLarge)));
        assert!(matches!(collect(&["abcdef"], 5), Err(CollectError::TooLarge)));
    }
}
