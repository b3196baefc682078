//! The body of a case, in the chunks in which it comes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_core::{Body, BodyError};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// The body in chunks of these lengths, or all at once. Its length is known when the header says so, as it is in a gateway.
pub(super) fn body(headers: &HeaderMap, bytes: &[u8], chunks: &[u32]) -> Body {
    let mut rest = Bytes::copy_from_slice(bytes);
    if chunks.is_empty() {
        return Body::full(rest);
    }
    let known = headers.contains_key(CONTENT_LENGTH);
    let chunks = chunks.iter().map(|length| {
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        rest.split_to(length.min(rest.len()))
    });
    Body::stream(Pieces {
        chunks: chunks.collect(),
        length: known.then_some(bytes.len() as u64),
    })
}

struct Pieces {
    chunks: VecDeque<Bytes>,
    length: Option<u64>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.chunks.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}
