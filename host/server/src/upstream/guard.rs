//! An upstream's connection with a strict look at its responses' raw framing. What hyper would forgive breaks the
//! connection instead, before a byte of it reaches a client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listener::framing::{Scanner, Side};
use crate::pieces;

/// Counts the requests sent over a connection: whose response comes next.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    count: AtomicU64,
    /// The last one was `HEAD`.
    head: AtomicBool,
}

impl Sent {
    /// A request with that method is about to be sent.
    pub fn count(&self, method: &Method) {
        self.0.head.store(*method == Method::HEAD, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Release);
    }
}

/// An upstream's connection.
pub struct ResponseGuard<S> {
    stream: S,
    scanner: Scanner,
    sent: Sent,
    seen: u64,
    // Nothing more can be written.
    deaf: bool,
}

impl<S> ResponseGuard<S> {
    /// Looks at the responses that come over `stream`.
    pub fn new(stream: S, line_limit: usize) -> (Self, Sent) {
        let sent = Sent::default();
        (
            Self {
                stream,
                scanner: Scanner::new(Side::Responses, line_limit),
                sent: sent.clone(),
                seen: 0,
                deaf: false,
            },
            sent,
        )
    }

    /// An upstream may answer before it has read the request, and close. hyper would stop at the write that fails and
    /// never read that answer, so what cannot be written any more is thrown away: reading says what has become of the
    /// request.
    fn write<T>(&mut self, instead: T, write: impl FnOnce(&mut S) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if !self.deaf {
            match write(&mut self.stream) {
                Poll::Ready(Err(_)) => self.deaf = true,
                other => return other,
            }
        }
        Poll::Ready(Ok(instead))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ResponseGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        std::task::ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let sent = this.sent.0.count.load(Ordering::Acquire);
        if sent != this.seen {
            this.seen = sent;
            this.scanner.expect_response(this.sent.0.head.load(Ordering::Relaxed));
        }
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.scanner.scan(bytes).map_err(|violation| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("malformed response: {}", violation.as_str()),
            )
        }))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ResponseGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |stream| Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(result) = pieces::as_one(slices, |bytes| self.as_mut().poll_write(context, bytes)) {
            return result;
        }
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.write(length, |stream| Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write((), |stream| Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write((), |stream| Pin::new(stream).poll_shutdown(context))
    }
}
