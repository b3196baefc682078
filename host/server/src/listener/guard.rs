//! A client's connection with a watch over it: raw framing, and time.
//!
//! hyper reads and writes through this. What cannot be said from inside a request is said here: that a header section
//! takes too long, that nothing has come for a while, that the client does not take what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use gatewright_core::{ExchangeId, ProblemKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::answer;
use crate::gateway::next_id;
use crate::listener::framing::{Scanner, Side, Violation};
use crate::pieces;

/// What the connection's two sides know of each other: the bytes, and the requests made of them.
#[derive(Debug)]
pub struct Watch {
    opened_at: Instant,
    /// When the last exchange ended, in milliseconds since the connection was opened.
    ended_ms: AtomicU64,
    /// Number of the message with the first violation, plus one; 0 for none.
    violating: AtomicU64,
    violation: std::sync::OnceLock<Violation>,
    served: AtomicU64,
    /// Requests in flight, and [`DISMISSED`].
    in_flight: AtomicUsize,
    /// The client has sent something.
    heard: AtomicBool,
    /// The client was told this instead of what hyper says by itself of what it cannot read.
    refused: std::sync::OnceLock<Refused>,
    /// Something has broken off that the client can tell from its end only by how the connection ends.
    cut: AtomicBool,
    /// Wakes a connection whose client has said all it wanted to say, when it has its answer.
    answered: AtomicWaker,
}

/// What a client was told of something that hyper could not read, and that no service saw.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Identifies the exchange.
    pub id: ExchangeId,
    /// Why.
    pub kind: ProblemKind,
}

/// A client that closes its side this soon after its last byte has said all it wanted to say and waits for its answer
/// (RFC 9112, section 9.6). One that does so later has left: the two look the same on the wire.
const HALF_CLOSE: Duration = Duration::from_millis(100);

/// How long a connection that is dismissed has to be idle. One that was used a moment ago may be about to be used
/// again, and the end of its last response may still be on its way out.
pub const QUIET: Duration = Duration::from_secs(1);

/// Beside the requests in flight, in one number: asking for both costs no more than asking for one.
const DISMISSED: usize = 1 << (usize::BITS - 1);

impl Watch {
    /// Of a connection that begins now.
    pub fn new() -> Arc<Self> {
        Self::opened_at(Instant::now())
    }

    pub(super) fn opened_at(opened_at: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened_at,
            ended_ms: AtomicU64::new(0),
            violating: AtomicU64::new(0),
            violation: std::sync::OnceLock::new(),
            served: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            refused: std::sync::OnceLock::new(),
            cut: AtomicBool::new(false),
            answered: AtomicWaker::new(),
        })
    }

    /// When the last exchange ended.
    fn ended_at(&self) -> Instant {
        self.opened_at + Duration::from_millis(self.ended_ms.load(Ordering::Relaxed))
    }

    /// Counts a request in, and says what was wrong with its bytes.
    pub fn begin(self: &Arc<Self>) -> (InFlight, Option<Violation>) {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let violating = self.violating.load(Ordering::Relaxed);
        let violation = if violating != 0 && number >= violating {
            self.violation.get().copied()
        } else {
            None
        };
        (InFlight::new(self), violation)
    }

    /// The request that came last is in flight again.
    pub fn go_on(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight::new(self)
    }

    /// What was wrong with the connection's bytes, if anything.
    pub fn violation(&self) -> Option<Violation> {
        self.violation.get().copied()
    }

    /// What the client was told of something that could not be read.
    pub fn refused(&self) -> Option<Refused> {
        self.refused.get().copied()
    }

    /// Whether the client has sent anything.
    pub fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether a request is being served.
    fn has_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) & !DISMISSED != 0
    }

    /// Whether so many requests have come to their end.
    fn has_answered(&self, requests: u64) -> bool {
        !self.has_in_flight() && self.served() >= requests
    }

    /// Asks the connection to end once it is idle. Its task must be woken to notice.
    pub fn dismiss(&self) {
        self.in_flight.fetch_or(DISMISSED, Ordering::Relaxed);
    }

    /// Whether it has been asked to end.
    pub fn is_dismissed(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) & DISMISSED != 0
    }

    /// Waits until it has been asked to end; its task is woken then. For who watches it before there is a guard.
    pub async fn dismissed(&self) {
        std::future::poll_fn(|_| match self.is_dismissed() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Since when nothing has been in flight; none while something is, or if the connection is dismissed already.
    pub fn idle_since(&self) -> Option<Instant> {
        (self.in_flight.load(Ordering::Acquire) == 0).then(|| self.ended_at())
    }

    /// Requests begun on this connection.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

/// A request in flight; while there is one the connection is not idle.
#[derive(Debug)]
pub struct InFlight {
    watch: Arc<Watch>,
    ended: Option<std::time::Instant>,
}

impl InFlight {
    fn new(watch: &Arc<Watch>) -> Self {
        Self {
            watch: Arc::clone(watch),
            ended: None,
        }
    }

    /// The connection is not to end as if all had been well.
    pub fn cut(&self) {
        self.watch.cut.store(true, Ordering::Relaxed);
    }

    /// Ends the request at that time, which saves another look at the clock.
    pub fn end(mut self, now: std::time::Instant) {
        self.ended = Some(now);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let ended = self.ended.map_or_else(Instant::now, Instant::from_std);
        let elapsed = ended.saturating_duration_since(self.watch.opened_at).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.watch.ended_ms.store(elapsed, Ordering::Relaxed);
        self.watch.in_flight.fetch_sub(1, Ordering::Release);
        self.watch.answered.wake();
    }
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a header section's first byte to its end.
    pub header: Duration,
    /// Between messages.
    pub idle: Duration,
    /// While it does not take what is written.
    pub write: Duration,
}

/// A client's connection with a watch over it.
pub struct Guard<S> {
    stream: S,
    alarm: Alarm,
    watch: Arc<Watch>,
    // None where the bytes are not HTTP/1.
    scanner: Option<Scanner>,
    patience: Patience,
    read_at: Instant,
    // When the header section that is being read began.
    head_at: Option<Instant>,
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
    // What makes its end look like a failure.
    reset: fn(&S),
}

/// An answer on its way out, and how much of it has left.
#[derive(Debug)]
struct Refusal {
    message: Vec<u8>,
    written: usize,
}

impl<S> Drop for Guard<S> {
    fn drop(&mut self) {
        if self.watch.cut.load(Ordering::Relaxed) {
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
            scanner: http1.then(|| Scanner::new(Side::Requests, line_limit)),
            patience,
            read_at: Instant::now(),
            head_at: None,
            stalled_at: None,
            broken: None,
            half_closed: false,
            flushed: 0,
            refusal: None,
            reset,
        }
    }

    /// Looks at bytes just read; how many of them hyper may have.
    ///
    /// A violation in a header section is for the service to answer. One in a body ends the connection's input.
    fn look(&mut self, bytes: &[u8]) -> usize {
        let now = Instant::now();
        self.read_at = now;
        self.watch.heard.store(true, Ordering::Relaxed);
        let mut sound = bytes.len();
        let Some(scanner) = &mut self.scanner else {
            return sound;
        };
        let was_in_head = scanner.in_head();
        let heads = scanner.heads();
        if let Err(violation) = scanner.scan(bytes) {
            let in_body = scanner.violated_in_body();
            if self.watch.violation.set(violation).is_ok() {
                let number = scanner.heads() + u64::from(!in_body);
                self.watch.violating.store(number, Ordering::Relaxed);
            }
            if in_body {
                self.broken = Some(violation);
                sound = scanner.sound();
            }
        }
        self.head_at = match scanner.in_head() {
            true if was_in_head && scanner.heads() == heads => self.head_at.or(Some(now)),
            true => Some(now),
            false => None,
        };
        sound
    }

    /// The client has closed its side: the end of the connection, unless it only waits for its answer.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(scanner) = self.scanner.as_ref().filter(|scanner| !scanner.in_body()) else {
            return Poll::Ready(Ok(()));
        };
        let requests = scanner.heads();
        self.half_closed |= self.last_moved().elapsed() < HALF_CLOSE;
        self.watch.answered.register(context.waker());
        if !self.half_closed || self.watch.has_answered(requests) {
            return Poll::Ready(Ok(()));
        }
        self.wait(context)?;
        Poll::Pending
    }

    /// When the last byte came or the last exchange ended.
    fn last_moved(&self) -> Instant {
        self.read_at.max(self.watch.ended_at())
    }

    /// When patience ends, as things stand; none while somebody else keeps the time.
    fn deadline(&self) -> Option<Instant> {
        let stalled = self.stalled_at.map(|since| since + self.patience.write);
        let reading = match self.head_at {
            Some(since) => Some(since + self.patience.header),
            None => match self.watch.in_flight.load(Ordering::Relaxed) {
                0 => Some(self.last_moved() + self.patience.idle),
                DISMISSED if self.stalled_at.is_none() => Some(self.last_moved() + self.patience.idle.min(QUIET)),
                _ => None,
            },
        };
        [stalled, reading].into_iter().flatten().min()
    }

    /// Called whenever something has to wait: fails when patience has ended, and sees to a wake-up when it does.
    fn wait(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        loop {
            // Nothing to wait for now; look again when an exchange may have ended.
            let deadline = self.deadline().or(self.alarm.deadline());
            let deadline = deadline.unwrap_or_else(|| Instant::now() + self.patience.idle);
            if self.alarm.poll(deadline, context).is_pending() {
                return Ok(());
            }
            self.alarm = Alarm::default();
            if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// The status of an answer that hyper gives by itself, if these bytes begin one: its own are bare, and nobody could find
    /// their record. No request is being answered then.
    fn own_status(&self, bytes: &[u8]) -> Option<u16> {
        if self.scanner.is_none() || self.watch.served() != self.flushed || self.watch.has_in_flight() {
            return None;
        }
        let [_minor, b' ', status @ ..] = bytes.strip_prefix(b"HTTP/1.")? else {
            return None;
        };
        let status = std::str::from_utf8(status.get(..3)?).ok()?.parse().ok()?;
        (400..500).contains(&status).then_some(status)
    }

    /// Begins to tell the client the same as hyper does, as the gateway says it.
    fn refuse(&mut self, status: u16) {
        let kind = match status {
            414 => ProblemKind::UriTooLong,
            431 => ProblemKind::HeadersTooLarge,
            _ => ProblemKind::BadRequest,
        };
        let refused = *self.watch.refused.get_or_init(|| Refused { id: next_id(), kind });
        self.refusal = Some(Refusal {
            message: answer::unread(refused.kind, refused.id),
            written: 0,
        });
    }

    fn after_write<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled_at = None;
        } else {
            self.stalled_at.get_or_insert_with(Instant::now);
            self.wait(context)?;
        }
        result
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

impl<S: AsyncWrite + Unpin> Guard<S> {
    /// Writes what the client is told instead of what hyper says by itself. Ready when all of it has left.
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(refusal) = &mut self.refusal {
            let rest = refusal.message.get(refusal.written..).unwrap_or_default();
            if rest.is_empty() {
                self.refusal = None;
                break;
            }
            let result = Pin::new(&mut self.stream).poll_write(context, rest);
            match self.after_write(context, result) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => {
                    let written = written?;
                    if let Some(refusal) = &mut self.refusal {
                        refusal.written += written;
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }
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
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dismissed_connection_ends_when_it_is_idle_and_neither_before_nor_in_the_middle_of_a_message() {
        let patience = Patience {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
        };
        let watch = Watch::new();
        let mut guard = Guard::new(tokio::io::empty(), patience, true, 8192, Arc::clone(&watch), |_| {});
        let now = guard.read_at;
        assert_eq!(guard.deadline(), Some(now + patience.idle));
        watch.dismiss();
        assert_eq!(guard.deadline(), Some(now + QUIET));

        guard.head_at = Some(now);
        assert_eq!(
            guard.deadline(),
            Some(now + patience.header),
            "a request is being received"
        );
        guard.head_at = None;
        let (in_flight, _) = watch.begin();
        assert_eq!(guard.deadline(), None, "a request is in flight");
        drop(in_flight);
        guard.stalled_at = Some(now);
        assert_eq!(guard.deadline(), Some(now + patience.write), "a response is being sent");
        guard.stalled_at = None;
        assert_eq!(guard.deadline(), Some(watch.ended_at().max(now) + QUIET));
    }
}
