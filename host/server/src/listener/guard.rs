//! A client's connection with a watch over it: raw framing, and time.
//!
//! hyper and the HTTP/2 library read and write through this. What cannot be said from inside a request is said here.
//!
//! - `watch`: what the connection and its requests know of each other
//! - `times`: how long a client may take, and when that is over
//! - `look`: a second look at the bytes that come
//! - `own_words`: what is said beside responses

mod look;
mod own_words;
mod times;
mod watch;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use self::look::Look;
use self::own_words::Refusal;
pub use self::times::{Farewell, Patience};
pub use self::watch::{Counted, InFlight, QUIET, Refused, Watch};
use crate::alarm::Alarm;
use crate::listener::framing::Violation;
use crate::pieces;

/// A client that closes its side this soon after its last byte has said all it wanted to say and waits for its answer
/// (RFC 9112, section 9.6). One that does so later has left: the two look the same on the wire.
const HALF_CLOSE: Duration = Duration::from_millis(100);

/// A client's connection with a watch over it.
pub struct Guard<S> {
    stream: S,
    alarm: Alarm,
    watch: Arc<Watch>,
    look: Look,
    patience: Patience,
    read_at: Instant,
    // When the header section that is being read began.
    head_at: Option<Instant>,
    // Since when a connection of HTTP/2 has been saying goodbye.
    farewell_at: Option<Instant>,
    // Since when a write has been waiting.
    stalled_at: Option<Instant>,
    // What was wrong with a body: hyper gets what came before it, and then an error.
    broken: Option<Violation>,
    // The client has closed its side and waits for its answer.
    half_closed: bool,
    // Requests that had been served when all that was written had left: what is written before there is another one is
    // hyper's own answer to what it cannot read.
    flushed: u64,
    // What the client is told instead, while it is written.
    refusal: Option<Refusal>,
    // Interim responses on their way to the client, which go out before anything else.
    interim: Bytes,
    // What makes its end look like a failure.
    reset: fn(&S),
}

impl<S> Drop for Guard<S> {
    fn drop(&mut self) {
        if self.watch.is_cut() {
            (self.reset)(&self.stream);
        }
    }
}

impl<S> Guard<S> {
    /// Watches over `stream`, whose bytes are HTTP/1 if `http1` says so, with lines of at most `line_limit` bytes.
    /// `reset` sees to it that it looks broken when it ends.
    pub fn new(
        stream: S,
        patience: Patience,
        http1: bool,
        line_limit: usize,
        watch: Arc<Watch>,
        reset: fn(&S),
    ) -> Self {
        Self {
            stream,
            alarm: Alarm::default(),
            watch,
            look: Look::new(http1, line_limit),
            patience,
            read_at: Instant::now(),
            head_at: None,
            farewell_at: None,
            stalled_at: None,
            broken: None,
            half_closed: false,
            flushed: 0,
            refusal: None,
            interim: Bytes::new(),
            reset,
        }
    }

    /// The client has closed its side: the end of the connection, unless it only waits for its answer.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let requests = match &self.look {
            Look::Http1(scanner) if !scanner.in_body() => scanner.heads(),
            _ => return Poll::Ready(Ok(())),
        };
        self.half_closed |= self.last_moved().elapsed() < HALF_CLOSE;
        self.watch.wake_when_answered(context.waker());
        if !self.half_closed || self.watch.has_answered(requests) {
            return Poll::Ready(Ok(()));
        }
        self.wait(context)?;
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(violation) = self.broken {
            return Poll::Ready(Err(malformed(violation)));
        }
        if self.farewell_at.is_some() {
            // Nothing that still comes is of interest.
            self.wait(context)?;
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(result) => {
                result?;
                let bytes = buffer.filled().get(before..).unwrap_or_default();
                if bytes.is_empty() && buffer.remaining() > 0 {
                    return self.end(context);
                }
                let sound = self.look(bytes);
                buffer.set_filled(before + sound);
                // No bytes would be the end of the connection, which another error is made of.
                match self.broken {
                    Some(violation) if sound == 0 => Poll::Ready(Err(malformed(violation))),
                    None if sound == 0 && self.farewell_at.is_some() => {
                        self.wait(context)?;
                        Poll::Pending
                    }
                    _ => Poll::Ready(Ok(())),
                }
            }
            Poll::Pending => {
                self.wait(context)?;
                Poll::Pending
            }
        }
    }
}

fn malformed(violation: Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, violation.as_str())
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none()
            && let Some(status) = self.own_status(bytes)
        {
            self.refuse(status);
        }
        if self.refusal.is_some() {
            return self.poll_refusal(context).map_ok(|()| bytes.len());
        }
        ready!(self.finish_interim(context))?;
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(result) = pieces::as_one(slices, |bytes| self.as_mut().poll_write(context, bytes)) {
            return result;
        }
        // What hyper says by itself is short, and has come as one.
        ready!(self.finish_interim(context))?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.interims().any() || !self.interim.is_empty() {
            ready!(self.write_interims(context))?;
        }
        let result = Pin::new(&mut self.stream).poll_flush(context);
        if result.is_ready() && !self.watch.has_in_flight() {
            self.flushed = self.watch.served();
        }
        self.after_write(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.after_write(context, result)
    }
}
