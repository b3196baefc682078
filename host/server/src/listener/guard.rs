//! A client's connection with a watch over it: raw framing, and time.
//!
//! hyper reads and writes through this. What cannot be said from inside a request is said here: that a header section
//! takes too long, that nothing has come for a while, that the client does not take what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use gatewright_core::{ExchangeId, ProblemKind};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use bytes::Bytes;
use h2::Reason;

use crate::alarm::Alarm;
use crate::answer;
use crate::gateway::next_id;
use crate::listener::framing::{Scanner, Side, Violation};
use crate::listener::http2::frames::{self, Frames};
use crate::listener::interim::Interims;
use crate::pieces;

/// What the connection's two sides know of each other: the bytes, and the requests made of them.
#[derive(Debug)]
pub struct Watch {
    opened_at: Instant,
    /// When the last exchange ended, in milliseconds since the connection was opened.
    ended_ms: AtomicU64,
    /// When it was asked to end with the gateway, in the same way; 0 if it was not.
    parting_ms: AtomicU64,
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
    /// What requests and responses have earned a connection of HTTP/2 since its guard has looked.
    earned: AtomicU32,
    /// What requests that came to nothing have cost it since then.
    wasted: AtomicU32,
    /// Why a connection of HTTP/2 says goodbye; 0 as long as it does not.
    farewell: AtomicU8,
    /// Interim responses of the request that is being served over HTTP/1.
    interims: Arc<Interims>,
    /// Wakes a connection whose client has said all it wanted to say, when it has its answer.
    answered: AtomicWaker,
    /// Counts requests in flight, those of other connections of the listener included.
    requests: Gauge,
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

    /// The same, with each request in flight counted by `requests`.
    pub fn counting(requests: Gauge) -> Arc<Self> {
        let mut watch = Self::opened_at(Instant::now());
        if let Some(watch) = Arc::get_mut(&mut watch) {
            watch.requests = requests;
        }
        watch
    }

    pub(super) fn opened_at(opened_at: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened_at,
            ended_ms: AtomicU64::new(0),
            parting_ms: AtomicU64::new(0),
            violating: AtomicU64::new(0),
            violation: std::sync::OnceLock::new(),
            served: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            refused: std::sync::OnceLock::new(),
            cut: AtomicBool::new(false),
            earned: AtomicU32::new(0),
            wasted: AtomicU32::new(0),
            farewell: AtomicU8::new(0),
            interims: Interims::new(),
            answered: AtomicWaker::new(),
            requests: Gauge::default(),
        })
    }

    /// When the last exchange ended.
    fn ended_at(&self) -> Instant {
        self.opened_at + Duration::from_millis(self.ended_ms.load(Ordering::Relaxed))
    }

    /// Milliseconds since the connection was opened.
    fn elapsed_ms(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.opened_at).as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }

    /// Counts a request in, and says what was wrong with its bytes.
    pub fn begin(self: &Arc<Self>) -> (InFlight, Option<Violation>) {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.earn(frames::REQUEST_EARNS);
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

    /// Asks the connection to end with the gateway: not at once, for its client may be about to use it again, but once it
    /// has been idle for a moment since then. Its task must be woken to notice.
    pub fn part(&self) {
        let now = self.elapsed_ms(Instant::now()).max(1);
        self.parting_ms.store(now, Ordering::Relaxed);
        self.dismiss();
    }

    /// Since when a connection that is asked to end has been idle.
    fn quiet_since(&self) -> Instant {
        let parting = Duration::from_millis(self.parting_ms.load(Ordering::Relaxed));
        self.ended_at().max(self.opened_at + parting)
    }

    /// A response of HTTP/2 sends so many bytes.
    pub fn sent(&self, bytes: usize) {
        self.earn(frames::data_earns(bytes));
    }

    fn earn(&self, earned: u32) {
        // A sum that wraps around after gigabytes without a frame of the client's is worth no lock.
        self.earned.fetch_add(earned, Ordering::Relaxed);
    }

    /// A stream of HTTP/2 was reset by its client, or broke off with its connection.
    pub fn was_reset(&self, prematurely: bool) {
        if prematurely {
            self.wasted.fetch_add(frames::PREMATURE_RESET_COSTS, Ordering::Relaxed);
        }
    }

    /// Why a connection of HTTP/2 is to be given up.
    pub fn farewell(&self) -> Option<Farewell> {
        match self.farewell.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Farewell::Idle),
            _ => Some(Farewell::Calm),
        }
    }

    /// Interim responses of the request that is being served over HTTP/1.
    pub fn interims(&self) -> &Arc<Interims> {
        &self.interims
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

/// One of what a number counts, as long as it lives.
pub struct Counted(Gauge);

impl Counted {
    /// One more.
    pub fn one(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
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
        watch.requests.inc();
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
        self.watch
            .ended_ms
            .store(self.watch.elapsed_ms(ended), Ordering::Relaxed);
        self.watch.in_flight.fetch_sub(1, Ordering::Release);
        self.watch.requests.dec();
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

/// Why a connection of HTTP/2 is given up. The client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Nothing has been asked for a while.
    Idle = 1,
    /// The client costs too much, or takes too long with what it has begun.
    Calm = 2,
}

impl Farewell {
    /// As GOAWAY says it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Idle => Reason::NO_ERROR,
            Self::Calm => Reason::ENHANCE_YOUR_CALM,
        }
    }
}

/// The second look at what a client sends.
enum Look {
    /// At the framing of HTTP/1.
    Http1(Scanner),
    /// At the frames of HTTP/2.
    Http2(Frames),
}

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
            look: match http1 {
                true => Look::Http1(Scanner::new(Side::Requests, line_limit)),
                false => Look::Http2(Frames::default()),
            },
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

    /// Looks at bytes just read; how many of them hyper may have.
    ///
    /// A violation in a header section is for the service to answer. One in a body ends the connection's input.
    fn look(&mut self, bytes: &[u8]) -> usize {
        let now = Instant::now();
        self.read_at = now;
        self.watch.heard.store(true, Ordering::Relaxed);
        match &mut self.look {
            Look::Http1(scanner) => {
                let was_in_head = scanner.in_head().then(|| scanner.heads());
                let sound = scan(scanner, bytes, &self.watch, &mut self.broken);
                self.head_at = head_at(
                    self.head_at,
                    was_in_head,
                    scanner.in_head().then(|| scanner.heads()),
                    now,
                );
                sound
            }
            Look::Http2(frames) => {
                let was_in_head = frames.in_head().then(|| frames.sections());
                if charge(frames, bytes, &self.watch, now).is_err() {
                    self.watch.farewell.store(Farewell::Calm as u8, Ordering::Relaxed);
                    self.farewell_at = Some(now);
                }
                self.head_at = head_at(
                    self.head_at,
                    was_in_head,
                    frames.in_head().then(|| frames.sections()),
                    now,
                );
                bytes.len()
            }
        }
    }

    /// The client has closed its side: the end of the connection, unless it only waits for its answer.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let requests = match &self.look {
            Look::Http1(scanner) if !scanner.in_body() => scanner.heads(),
            _ => return Poll::Ready(Ok(())),
        };
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
    ///
    /// Only requests renew it: a client that sends something else from time to time has asked for nothing.
    fn deadline(&self) -> Option<Instant> {
        if let Some(since) = self.farewell_at {
            return Some(since + self.patience.write);
        }
        if let Some(since) = self.stalled_at {
            let head = self.head_at.map(|since| since + self.patience.header);
            return [Some(since + self.patience.write), head].into_iter().flatten().min();
        }
        if let Some(since) = self.head_at {
            return Some(since + self.patience.header);
        }
        match self.watch.in_flight.load(Ordering::Relaxed) {
            0 => Some(self.watch.ended_at() + self.patience.idle),
            DISMISSED => Some(self.watch.quiet_since() + self.patience.idle.min(QUIET)),
            _ => None,
        }
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
                return self.give_up(context);
            }
        }
    }

    /// The status of an answer that hyper gives by itself, if these bytes begin one: its own are bare, and nobody could find
    /// their record. No request is being answered then.
    fn own_status(&self, bytes: &[u8]) -> Option<u16> {
        if !matches!(self.look, Look::Http1(_)) || self.watch.served() != self.flushed || self.watch.has_in_flight() {
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

    /// Patience has ended. A client of HTTP/2 that takes what is written is told so.
    fn give_up(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match &self.look {
            Look::Http2(frames) if frames.has_begun() && self.stalled_at.is_none() && self.farewell_at.is_none() => {
                let farewell = if self.head_at.is_some() {
                    Farewell::Calm
                } else {
                    Farewell::Idle
                };
                self.watch.farewell.store(farewell as u8, Ordering::Relaxed);
                self.farewell_at = Some(Instant::now());
                context.waker().wake_by_ref();
                Ok(())
            }
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Writes interim responses. Only where nothing of another message is on its way: hyper flushes when it has written
    /// everything, and whoever has an interim response for its client does not answer before it has gone out.
    fn write_interims(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            if self.interim.is_empty() {
                self.interim = interim_bytes(&self.watch.interims.take());
                if self.interim.is_empty() {
                    self.watch.interims.sent();
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.finish_interim(context))?;
        }
    }

    fn finish_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.interim.is_empty() {
            let result = Pin::new(&mut self.stream).poll_write(context, &self.interim);
            match ready!(self.after_write(context, result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.interim.split_to(written)),
            }
        }
        Poll::Ready(Ok(()))
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

/// Since when the header section that is being read has been so: `before` and `after` are the numbers of those that were
/// being read, if any, before and after bytes that came `now`.
fn head_at(since: Option<Instant>, before: Option<u64>, after: Option<u64>, now: Instant) -> Option<Instant> {
    match after {
        None => None,
        Some(_) if before == after => since.or(Some(now)),
        Some(_) => Some(now),
    }
}

/// A strict look at bytes of HTTP/1; how many of them are sound.
fn scan(scanner: &mut Scanner, bytes: &[u8], watch: &Watch, broken: &mut Option<Violation>) -> usize {
    let Err(violation) = scanner.scan(bytes) else {
        return bytes.len();
    };
    let in_body = scanner.violated_in_body();
    if watch.violation.set(violation).is_ok() {
        let number = scanner.heads() + u64::from(!in_body);
        watch.violating.store(number, Ordering::Relaxed);
    }
    if !in_body {
        return bytes.len();
    }
    *broken = Some(violation);
    scanner.sound()
}

/// What bytes of HTTP/2 cost, and what has been earned and wasted meanwhile.
fn charge(frames: &mut Frames, bytes: &[u8], watch: &Watch, now: Instant) -> Result<(), frames::Overdrawn> {
    frames.earn(watch.earned.swap(0, Ordering::Relaxed));
    match watch.wasted.swap(0, Ordering::Relaxed) {
        0 => {}
        wasted => frames.spend(wasted, now)?,
    }
    frames.scan(bytes, now)
}

/// Interim responses as HTTP/1.1 writes them.
fn interim_bytes(interims: &[http::Response<()>]) -> Bytes {
    let mut bytes = Vec::new();
    for interim in interims {
        let status = interim.status();
        let reason = status.canonical_reason().unwrap_or_default();
        bytes.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in interim.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.into()
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
        if self.watch.interims.any() || !self.interim.is_empty() {
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
        let now = watch.opened_at;
        guard.read_at = now + QUIET;
        assert_eq!(
            guard.deadline(),
            Some(now + patience.idle),
            "what is no request renews nothing"
        );
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
        assert_eq!(guard.deadline(), Some(watch.ended_at() + QUIET));
        watch.parting_ms.store(5_000, Ordering::Relaxed);
        let parting = now + Duration::from_secs(5);
        assert_eq!(guard.deadline(), Some(parting + QUIET), "its client may not know yet");
    }
}
