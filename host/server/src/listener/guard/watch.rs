//! What the two sides of a client's connection know of each other: its bytes, and the requests made of them.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use gatewright_core::{ExchangeId, ProblemKind};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::times::Farewell;
use crate::gateway::next_id;
use crate::listener::framing::Violation;
use crate::listener::http2::frames;
use crate::listener::interim::Interims;

/// How long a connection that is dismissed has to be idle. One that was used a moment ago may be about to be used
/// again, and the end of its last response may still be on its way out.
pub const QUIET: Duration = Duration::from_secs(1);

/// Streams of HTTP/2 whose path has a fragment and that are not served: the library takes some for worse, and refuses what
/// is more than a client may have at once.
const MOST_FRAGMENTS: usize = 1_000;

/// Beside the requests in flight, in one number: asking for both costs no more than asking for one.
const DISMISSED: usize = 1 << (usize::BITS - 1);

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
    violation: OnceLock<Violation>,
    served: AtomicU64,
    /// Requests in flight, and [`DISMISSED`].
    in_flight: AtomicUsize,
    /// The client has sent something.
    heard: AtomicBool,
    /// The client was told this instead of what hyper says by itself of what it cannot read.
    refused: OnceLock<Refused>,
    /// Something has broken off that the client can tell from its end only by how the connection ends.
    cut: AtomicBool,
    /// What requests and responses have earned a connection of HTTP/2 since its guard has looked.
    earned: AtomicU32,
    /// What requests that came to nothing have cost it since then.
    wasted: AtomicU32,
    /// Why a connection of HTTP/2 says goodbye; 0 as long as it does not.
    farewell: AtomicU8,
    /// Streams of HTTP/2 whose path had a fragment and that are not served yet, and whether there are any.
    fragments: Mutex<Vec<u32>>,
    has_fragments: AtomicBool,
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

    pub(in crate::listener) fn opened_at(opened_at: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened_at,
            ended_ms: AtomicU64::new(0),
            parting_ms: AtomicU64::new(0),
            violating: AtomicU64::new(0),
            violation: OnceLock::new(),
            served: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            refused: OnceLock::new(),
            cut: AtomicBool::new(false),
            earned: AtomicU32::new(0),
            wasted: AtomicU32::new(0),
            farewell: AtomicU8::new(0),
            fragments: Mutex::new(Vec::new()),
            has_fragments: AtomicBool::new(false),
            interims: Interims::new(),
            answered: AtomicWaker::new(),
            requests: Gauge::default(),
        })
    }

    /// When the last exchange ended.
    pub(super) fn ended_at(&self) -> Instant {
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

    /// Notes what is wrong with the message of that number, unless there was something wrong before.
    pub(super) fn violates(&self, violation: Violation, number: u64) {
        if self.violation.set(violation).is_ok() {
            self.violating.store(number, Ordering::Relaxed);
        }
    }

    /// Notes that the client is told of something that could not be read; what it is told.
    pub(super) fn refuse(&self, kind: ProblemKind) -> Refused {
        *self.refused.get_or_init(|| Refused { id: next_id(), kind })
    }

    /// What the client was told of something that could not be read.
    pub fn refused(&self) -> Option<Refused> {
        self.refused.get().copied()
    }

    /// The client has sent something.
    pub(super) fn hears(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Whether the client has sent anything.
    pub fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether something has broken off that the client can tell only from how the connection ends.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Wakes it when a request has come to its end.
    pub(super) fn wake_when_answered(&self, waker: &Waker) {
        self.answered.register(waker);
    }

    /// Whether a request is being served.
    pub(super) fn has_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) & !DISMISSED != 0
    }

    /// Whether so many requests have come to their end.
    pub(super) fn has_answered(&self, requests: u64) -> bool {
        !self.has_in_flight() && self.served() >= requests
    }

    /// Asks the connection to end once it is idle. Its task must be woken to notice.
    pub fn dismiss(&self) {
        self.in_flight.fetch_or(DISMISSED, Ordering::Relaxed);
    }

    /// Asks the connection to end with the gateway: not at once, for its client may be about to use it again, but once it
    /// has been idle for a moment since then. Its task must be woken to notice.
    pub fn part(&self) {
        self.part_at(Instant::now());
    }

    pub(super) fn part_at(&self, now: Instant) {
        let now = self.elapsed_ms(now).max(1);
        self.parting_ms.store(now, Ordering::Relaxed);
        self.dismiss();
    }

    /// When a connection that nothing is asked of has been idle for so long, or for a moment where it is asked to end; none
    /// while a request is in flight.
    pub(super) fn idle_until(&self, idle: Duration) -> Option<Instant> {
        match self.in_flight.load(Ordering::Relaxed) {
            0 => Some(self.ended_at() + idle),
            DISMISSED => Some(self.quiet_since() + idle.min(QUIET)),
            _ => None,
        }
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

    /// What has been earned and wasted since this was asked the last time.
    pub(super) fn balance(&self) -> (u32, u32) {
        let taken = |sum: &AtomicU32| sum.swap(0, Ordering::Relaxed);
        (taken(&self.earned), taken(&self.wasted))
    }

    /// A stream of HTTP/2 was reset by its client, or broke off with its connection.
    pub fn was_reset(&self, prematurely: bool) {
        if prematurely {
            self.wasted.fetch_add(frames::PREMATURE_RESET_COSTS, Ordering::Relaxed);
        }
    }

    /// Why a connection of HTTP/2 is to be given up.
    pub fn farewell(&self) -> Option<Farewell> {
        Farewell::of(self.farewell.load(Ordering::Relaxed))
    }

    /// Has a connection of HTTP/2 say goodbye.
    pub(super) fn say_goodbye(&self, farewell: Farewell) {
        self.farewell.store(farewell as u8, Ordering::Relaxed);
    }

    /// Notes streams of HTTP/2 whose path had a fragment. False when there are more of them than any client has at once that
    /// is served.
    pub(super) fn note_fragments(&self, streams: Vec<u32>) -> bool {
        if streams.is_empty() {
            return true;
        }
        let mut fragments = self.fragments();
        fragments.extend(streams);
        self.has_fragments.store(true, Ordering::Relaxed);
        fragments.len() <= MOST_FRAGMENTS
    }

    /// What was wrong with a stream of HTTP/2 that is about to be served, and is not to be seen any more: its path had a
    /// fragment, which the library has cut off.
    pub fn violation_of_stream(&self, stream: u32) -> Option<Violation> {
        if !self.has_fragments.load(Ordering::Relaxed) {
            return None;
        }
        let mut fragments = self.fragments();
        let found = fragments.iter().position(|other| *other == stream)?;
        fragments.swap_remove(found);
        self.has_fragments.store(!fragments.is_empty(), Ordering::Relaxed);
        Some(Violation::Fragment)
    }

    fn fragments(&self) -> MutexGuard<'_, Vec<u32>> {
        self.fragments.lock().unwrap_or_else(PoisonError::into_inner)
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
