//! A request's body while it comes: how much of it there is, and whose turn it is.
//!
//! How long a client takes to send is its own business, within the limits of its listener. An upstream's time runs only
//! while it is the upstream's turn, and so the two have to be told apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The gateway waits for the client.
const CLIENT: u64 = 0;
/// A piece has been passed on, or none has been asked for yet.
const PASSED_ON: u64 = 1;
/// The body has ended, well or not.
const ENDED: u64 = 2;
/// Bits of the turn, below the time.
const TURN_BITS: u32 = 2;

/// A request's body while it comes. Written by whoever takes it from the client, read by everybody else.
#[derive(Debug)]
pub struct Upload {
    began: Instant,
    bytes: AtomicU64,
    // Microseconds from the beginning to the last event, and whose turn it has been since.
    turn: AtomicU64,
}

impl Upload {
    /// One of which nothing has been asked for.
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            bytes: AtomicU64::new(0),
            turn: AtomicU64::new(PASSED_ON),
        }
    }

    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// So many bytes have come and are passed on.
    pub fn passed_on(&self, bytes: u64, now: Instant) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.set(PASSED_ON, now);
    }

    /// The next piece has been asked for and is not there.
    pub fn waits(&self) {
        self.turn.store(CLIENT, Ordering::Release);
    }

    /// Nothing more comes, or nobody wants more.
    pub fn end(&self, now: Instant) {
        if !self.has_ended() {
            self.set(ENDED, now);
        }
    }

    /// Whether nothing more comes.
    pub fn has_ended(&self) -> bool {
        self.turn.load(Ordering::Acquire) & ((1 << TURN_BITS) - 1) == ENDED
    }

    /// Since when it is not the client's turn: when the last piece was passed on, or the body ended. None while the client
    /// is waited for.
    pub fn passed_on_at(&self) -> Option<Instant> {
        let turn = self.turn.load(Ordering::Acquire);
        (turn & ((1 << TURN_BITS) - 1) != CLIENT).then(|| self.began + Duration::from_micros(turn >> TURN_BITS))
    }

    fn set(&self, turn: u64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.began).as_micros();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX) & (u64::MAX >> TURN_BITS);
        self.turn.store(elapsed << TURN_BITS | turn, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_clients_turn_only_while_it_is_waited_for() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let upload = Upload::new(began);
        assert_eq!(upload.passed_on_at(), Some(began));
        upload.waits();
        assert_eq!(upload.passed_on_at(), None);
        upload.passed_on(5, after(3));
        assert_eq!((upload.passed_on_at(), upload.has_ended()), (Some(after(3)), false));
        upload.waits();
        upload.end(after(7));
        upload.end(after(9));
        assert_eq!((upload.passed_on_at(), upload.has_ended()), (Some(after(7)), true));
        assert_eq!(upload.bytes(), 5);
    }
}
