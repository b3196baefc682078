//! The second look at what a client sends: the framing of HTTP/1, the frames of HTTP/2.

use tokio::time::Instant;

use super::Guard;
use super::times::{Farewell, head_at};
use super::watch::Watch;
use crate::listener::framing::{Scanner, Side, Violation};
use crate::listener::http2::frames::{Enough, Frames};

/// The second look at what a client sends.
pub(super) enum Look {
    /// At the framing of HTTP/1.
    Http1(Scanner),
    /// At the frames of HTTP/2.
    Http2(Frames),
}

impl Look {
    /// At bytes of HTTP/1 if `http1` says so, with lines of at most `line_limit` bytes, or of HTTP/2.
    pub(super) fn new(http1: bool, line_limit: usize) -> Self {
        match http1 {
            true => Self::Http1(Scanner::new(Side::Requests, line_limit)),
            false => Self::Http2(Frames::default()),
        }
    }
}

impl<S> Guard<S> {
    /// Looks at bytes just read; how many of them the library may have.
    ///
    /// A violation in a header section is for the service to answer. One in a body ends the connection's input.
    pub(super) fn look(&mut self, bytes: &[u8]) -> usize {
        let now = Instant::now();
        self.read_at = now;
        self.watch.hears();
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
                let looked = charge(frames, bytes, &self.watch, now);
                if let Err(enough) = looked {
                    self.watch.say_goodbye(match enough {
                        Enough::Overdrawn(_) => Farewell::Calm,
                        Enough::Malformed => Farewell::Malformed,
                    });
                    self.farewell_at = Some(now);
                }
                self.head_at = head_at(
                    self.head_at,
                    was_in_head,
                    frames.in_head().then(|| frames.sections()),
                    now,
                );
                match looked {
                    // Nobody has looked at the rest.
                    Err(Enough::Overdrawn(sound)) => sound,
                    // The library says itself what is wrong.
                    Ok(()) | Err(Enough::Malformed) => bytes.len(),
                }
            }
        }
    }
}

/// A strict look at bytes of HTTP/1; how many of them are sound.
fn scan(scanner: &mut Scanner, bytes: &[u8], watch: &Watch, broken: &mut Option<Violation>) -> usize {
    let Err(violation) = scanner.scan(bytes) else {
        return bytes.len();
    };
    let in_body = scanner.violated_in_body();
    watch.violates(violation, scanner.heads() + u64::from(!in_body));
    if !in_body {
        return bytes.len();
    }
    *broken = Some(violation);
    scanner.sound()
}

/// What bytes of HTTP/2 cost, and what has been earned and wasted meanwhile.
fn charge(frames: &mut Frames, bytes: &[u8], watch: &Watch, now: Instant) -> Result<(), Enough> {
    let (earned, wasted) = watch.balance();
    frames.earn(earned);
    if wasted > 0 {
        frames.spend(wasted, now)?;
    }
    let looked = frames.scan(bytes, now);
    match watch.note_fragments(frames.fragments()) {
        true => looked,
        false => Err(Enough::Overdrawn(bytes.len())),
    }
}
