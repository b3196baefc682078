//! A body as it comes off a connection, whichever version of HTTP the connection speaks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::listener::http2::body::StreamBody;
use crate::upstream::causes;

/// A body as it comes off a connection.
pub enum Received {
    /// Of HTTP/1.
    Http1(Incoming),
    /// Of a stream of HTTP/2.
    Http2(StreamBody),
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Over HTTP/1.
    #[error("{}", causes(.0))]
    Http1(#[from] hyper::Error),
    /// Over HTTP/2.
    #[error("{}", causes(.0))]
    Http2(#[from] h2::Error),
}

impl ReceiveError {
    /// Whether it broke off because its bytes make no sense, not because the connection did.
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Http1(error) => is_malformed(error),
            // What the other side resets is its own affair; what the library resets is malformed.
            Self::Http2(error) => error.is_library(),
        }
    }
}

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

impl From<Incoming> for Received {
    fn from(body: Incoming) -> Self {
        Self::Http1(body)
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(context).map_err(ReceiveError::from),
            Self::Http2(body) => Pin::new(body).poll_frame(context).map_err(ReceiveError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
