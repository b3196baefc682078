//! An upstream's connection with a strict look at its responses' raw framing. What hyper would forgive breaks the
//! connection instead, before a byte of it reaches a client.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use gatewright_core::Interim;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listener::framing::{Early, Scanner, Side};
use crate::pieces;

/// Counts the requests sent over a connection: whose response comes next.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    count: AtomicU64,
    /// The last one was `HEAD`.
    head: AtomicBool,
    /// Interim responses to the last one, and whether there are any.
    interims: Mutex<Vec<Early>>,
    has_interims: AtomicBool,
    /// Waits for them.
    waiter: AtomicWaker,
}

impl Sent {
    /// A request with that method is about to be sent.
    pub fn count(&self, method: &Method) {
        self.0.head.store(*method == Method::HEAD, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Release);
    }

    /// Passes on the interim responses that have come to the last request, and wakes `waiter` when there are more.
    pub fn wait_for_interims(&self, client: &dyn Interim, waiter: &Waker) {
        self.0.waiter.register(waiter);
        self.pass_on_interims(client);
    }

    /// Passes on the interim responses that have come to the last request. Stages never see them, so only fields go along
    /// that tell of what a page needs.
    pub fn pass_on_interims(&self, client: &dyn Interim) {
        if !self.0.has_interims.load(Ordering::Acquire) || !self.0.has_interims.swap(false, Ordering::Acquire) {
            return;
        }
        let interims = std::mem::take(&mut *self.0.interims.lock().unwrap_or_else(PoisonError::into_inner));
        for interim in interims {
            let Ok(status) = StatusCode::from_u16(interim.status) else {
                continue;
            };
            let fields = interim.fields.into_iter().filter_map(|(name, value)| {
                let name = HeaderName::from_bytes(&name)
                    .ok()
                    .filter(|name| PASSED_ON.contains(name))?;
                Some((name, HeaderValue::from_bytes(&value).ok()?))
            });
            let mut headers = HeaderMap::new();
            fields.for_each(|(name, value)| {
                headers.append(name, value);
            });
            client.send(status, headers);
        }
    }

    fn came(&self, interims: Vec<Early>) {
        self.0
            .interims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(interims);
        self.0.has_interims.store(true, Ordering::Release);
        self.0.waiter.wake();
    }
}

/// Fields of interim responses that are passed on: what a browser may begin with early (RFC 8297), and under which rules.
const PASSED_ON: [HeaderName; 3] = [
    header::LINK,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
];

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
        let scanned = this.scanner.scan(bytes);
        let interims = this.scanner.take_interims();
        if !interims.is_empty() {
            this.sent.came(interims);
        }
        Poll::Ready(scanned.map_err(|violation| {
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
