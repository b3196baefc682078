//! The body of a request on its way into a guest. It says when somebody asks for a piece: a guest of 0.3 may hand the stream on as
//! its response's body without reading it, and then be gone while the body goes on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_core::{Body, BodyError, ProblemKind};
use http_body::{Body as HttpBody, SizeHint};
use wasmtime_wasi_http::Error;

use super::Frame;

/// A body that a client sends.
pub(super) struct Received {
    body: Body,
    asked: Arc<AtomicBool>,
}

impl Received {
    /// Sets `asked` whenever it is asked for a piece.
    pub(super) fn new(body: Body, asked: &Arc<AtomicBool>) -> Self {
        let asked = Arc::clone(asked);
        Self { body, asked }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        self.asked.store(true, Ordering::Relaxed);
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_err(|error| refused(&error))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why the request's body broke off, in the guest's words.
fn refused(error: &BodyError) -> Error {
    match error.0.kind() {
        ProblemKind::RequestTooLarge => Error::HttpRequestBodySize(None),
        ProblemKind::RequestTimeout => Error::ConnectionReadTimeout,
        ProblemKind::ClientClosed => Error::ConnectionTerminated,
        _ => Error::HttpProtocolError,
    }
}
