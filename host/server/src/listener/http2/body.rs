//! The body of a request that comes over a stream of HTTP/2.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header;
use http_body::{Body, Frame, SizeHint};

use crate::listener::framing_line::plain_length;

/// The body of a request that comes over a stream of HTTP/2.
pub struct StreamBody {
    stream: RecvStream,
    /// Bytes that are still to come, where the client has said how many.
    left: Option<u64>,
    /// What came first, where somebody has looked.
    first: Option<Bytes>,
    /// All data has come.
    data_ended: bool,
}

impl StreamBody {
    /// The body of a request with these header fields.
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let length = headers.get(header::CONTENT_LENGTH);
        Self {
            stream,
            left: length.and_then(|length| plain_length(length.as_bytes())),
            first: None,
            data_ended: false,
        }
    }

    /// The number of its stream.
    pub fn stream(&self) -> u32 {
        self.stream.stream_id().as_u32()
    }

    /// Waits for the first bytes, or for the end, where the client has said nothing of how many there are: an empty frame
    /// may end a stream as well as its header section does. What breaks or takes longer than `patience` is found out by
    /// whoever reads.
    pub async fn look_ahead(&mut self, patience: Duration) {
        if !self.is_open() {
            return;
        }
        let first = poll_fn(|context| self.poll_first(context));
        // What has come is kept in any case.
        let _ = tokio::time::timeout(patience, first).await;
    }

    /// The same without waiting: finds out what has come with the header section, which may be the end.
    pub fn look(&mut self) {
        if self.is_open() {
            let _ = self.poll_first(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Whether there may be bytes or none.
    fn is_open(&self) -> bool {
        self.left.is_none() && self.first.is_none() && !self.data_ended && !self.is_end_stream()
    }

    /// Keeps the first bytes for whoever reads. An error is kept by the library.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.poll_data(context)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    self.first = Some(data);
                    return Poll::Ready(());
                }
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.data_ended {
            return Poll::Ready(None);
        }
        let data = ready!(self.stream.poll_data(context));
        match &data {
            // Whoever reads slowly is not asked again, so the client may send as much as has been taken.
            Some(Ok(data)) => {
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
            }
            Some(Err(_)) => {}
            None => self.data_ended = true,
        }
        Poll::Ready(data)
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if let Some(data) = ready!(self.poll_data(context)) {
            return Poll::Ready(Some(data.map(Frame::data)));
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}
