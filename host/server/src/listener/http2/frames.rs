//! What a client's frames cost: a look at the same bytes as the HTTP/2 library reads.
//!
//! Requests, and the data that the gateway sends, are what a connection is there for. All other frames are paid for out of
//! a purse that requests and data fill again: each of them costs work and asks for nothing, and some clients send nothing
//! else (CVE-2019-9512, -9513, -9515 and -9518, CVE-2023-44487, CVE-2024-27316).

use std::time::Duration;

use tokio::time::Instant;

/// Octets of a client's connection preface (RFC 9113, section 3.4).
const PREFACE: usize = 24;
/// Octets of a frame's header.
const HEAD: usize = 9;

/// What a connection may cost at most without asking for something: what a purse holds.
const PURSE: u32 = 1_000;
/// What a purse gets back with time, so that a connection may live for days.
const EARNED_PER_SECOND: u32 = 10;
/// What a request brings, beyond its own header section.
pub const REQUEST_EARNS: u32 = 6;
/// What a stream costs that its client resets as soon as it has asked.
pub const PREMATURE_RESET_COSTS: u32 = 8;

/// What so many bytes of a response bring: clients make room for more with two frames for each that they get, or more.
pub const fn data_earns(bytes: usize) -> u32 {
    let earned = 4 + bytes / 512;
    if earned > PURSE as usize { PURSE } else { earned as u32 }
}

/// Reads a client's frames.
#[derive(Debug)]
pub struct Frames {
    state: State,
    /// A header section has begun and is not complete.
    in_section: bool,
    /// The frame that is being read is the section's last.
    ends_section: bool,
    /// Header sections that were complete.
    sections: u64,
    purse: u32,
    filled_at: Instant,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Octets of the preface that are still to come.
    Preface(usize),
    /// In a frame's header.
    Head([u8; HEAD], usize),
    /// Octets of a frame that are still to come.
    Payload(usize),
}

/// The purse is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdrawn;

impl Default for Frames {
    /// At the beginning of a connection.
    fn default() -> Self {
        Self {
            state: State::Preface(PREFACE),
            in_section: false,
            ends_section: false,
            sections: 0,
            purse: PURSE,
            filled_at: Instant::now(),
        }
    }
}

impl Frames {
    /// Whether the client has begun its preface or a header section, and not completed it.
    pub fn in_head(&self) -> bool {
        self.in_section || matches!(self.state, State::Preface(left) if left < PREFACE)
    }

    /// Whether the client has said that it speaks HTTP/2.
    pub fn has_begun(&self) -> bool {
        !matches!(self.state, State::Preface(_))
    }

    /// Complete header sections so far.
    pub fn sections(&self) -> u64 {
        self.sections
    }

    /// Puts something into the purse.
    pub fn earn(&mut self, earned: u32) {
        self.purse = self.purse.saturating_add(earned).min(PURSE);
    }

    /// Takes something out of the purse.
    ///
    /// # Errors
    /// When there is not so much in it.
    pub fn spend(&mut self, cost: u32, now: Instant) -> Result<(), Overdrawn> {
        if self.purse < cost {
            self.earn_with_time(now);
        }
        self.purse = self.purse.checked_sub(cost).ok_or(Overdrawn)?;
        Ok(())
    }

    fn earn_with_time(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs();
        let earned = passed.saturating_mul(EARNED_PER_SECOND.into());
        self.earn(u32::try_from(earned).unwrap_or(PURSE));
        self.filled_at += Duration::from_secs(passed);
    }

    /// Reads on.
    ///
    /// # Errors
    /// When the frames cost more than the purse holds.
    pub fn scan(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Overdrawn> {
        while !bytes.is_empty() {
            let taken;
            (self.state, taken) = match self.state {
                State::Preface(left) => {
                    let taken = left.min(bytes.len());
                    (self.skipped(left - taken, State::Preface), taken)
                }
                State::Payload(left) => {
                    let taken = left.min(bytes.len());
                    (self.skipped(left - taken, State::Payload), taken)
                }
                State::Head(mut head, have) => {
                    let room = head.get_mut(have..).unwrap_or_default();
                    let taken = room.len().min(bytes.len());
                    for (to, from) in room.iter_mut().zip(bytes) {
                        *to = *from;
                    }
                    let state = match have + taken {
                        HEAD => self.frame(head, now)?,
                        have => State::Head(head, have),
                    };
                    (state, taken)
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
            // A frame without a payload is over with its header.
            if let State::Payload(0) = self.state {
                self.state = self.skipped(0, State::Payload);
            }
        }
        Ok(())
    }

    fn skipped(&mut self, left: usize, state: fn(usize) -> State) -> State {
        if left > 0 {
            return state(left);
        }
        if std::mem::take(&mut self.ends_section) {
            self.in_section = false;
            self.sections += 1;
        }
        State::Head([0; HEAD], 0)
    }

    /// A frame begins.
    fn frame(&mut self, head: [u8; HEAD], now: Instant) -> Result<State, Overdrawn> {
        let [high, middle, low, kind, flags, ..] = head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let cost = cost(kind, flags, length);
        if cost > 0 {
            self.spend(cost, now)?;
        }
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_section = true;
            self.ends_section = flags & END_HEADERS != 0;
        }
        Ok(State::Payload(length))
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// What a frame costs. What has to be answered costs more.
fn cost(kind: u8, flags: u8, length: usize) -> u32 {
    match kind {
        // What holds something is bounded by the windows; the library looks after frames that hold very little.
        DATA if length > 0 || flags & END_STREAM != 0 => 0,
        SETTINGS if flags & ACK == 0 => 5,
        GOAWAY => 5,
        PING if flags & ACK == 0 => 2,
        // A request brings more; what the library refuses before it is one does not.
        HEADERS | CONTINUATION | RST_STREAM => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags, 0, 0, 0, 1], &vec![0; length]].concat()
    }

    /// How many of these frames a connection may send at once, however they are cut.
    fn affordable(bytes: &[u8]) -> usize {
        let mut counts = [1, 7, usize::MAX].map(|size| {
            let mut frames = Frames::default();
            let now = frames.filled_at;
            frames.scan(&[b'x'; PREFACE], now).unwrap();
            let sent = (0..100_000).take_while(|_| {
                let mut pieces = bytes.chunks(size.min(bytes.len()));
                pieces.all(|piece| frames.scan(piece, now).is_ok())
            });
            sent.count()
        });
        counts.sort_unstable();
        assert_eq!(counts[0], counts[2]);
        counts[0]
    }

    #[test]
    fn every_frame_that_asks_for_nothing_is_one_that_a_client_cannot_send_for_ever() {
        for kind in [2, 3, 4, 6, 7, 8, 9, 10, 12, 16, 99, 255] {
            for flags in [0, ACK] {
                for length in [0, 8, 300] {
                    let count = affordable(&frame(kind, flags, length));
                    assert!((100..=1_000).contains(&count), "{kind} {flags} {length}: {count}");
                }
            }
        }
        assert_eq!(affordable(&frame(DATA, 0, 0)), 1_000);
        assert_eq!(affordable(&frame(DATA, 0, 1)), 100_000);
        assert_eq!(affordable(&frame(HEADERS, END_HEADERS, 10)), 500);
    }

    #[test]
    fn requests_data_and_time_fill_the_purse_again() {
        let mut frames = Frames::default();
        let now = frames.filled_at;
        assert_eq!(frames.spend(PURSE, now), Ok(()));
        assert_eq!(frames.spend(1, now), Err(Overdrawn));
        frames.earn(data_earns(16 * 1024));
        assert_eq!(frames.spend(36, now), Ok(()));
        assert_eq!(frames.spend(1, now), Err(Overdrawn));
        assert_eq!(frames.spend(EARNED_PER_SECOND, now + Duration::from_secs(1)), Ok(()));
        assert_eq!(frames.spend(1, now + Duration::from_secs(1)), Err(Overdrawn));
        assert_eq!(frames.spend(PURSE, now + Duration::from_secs(86_400)), Ok(()));
    }

    #[test]
    fn a_header_section_is_open_until_its_last_frame() {
        let mut frames = Frames::default();
        let now = frames.filled_at;
        assert!(!frames.in_head(), "nothing has come");
        frames.scan(b"PRI", now).unwrap();
        assert!(frames.in_head() && !frames.has_begun());
        frames.scan(&[b'x'; PREFACE - 3], now).unwrap();
        assert!(!frames.in_head() && frames.has_begun());
        frames.scan(&frame(HEADERS, 0, 5), now).unwrap();
        assert!(frames.in_head());
        frames.scan(&frame(CONTINUATION, 0, 5), now).unwrap();
        assert!(frames.in_head());
        let (begin, end) = (frame(CONTINUATION, END_HEADERS, 5), [0; 1]);
        frames.scan(&begin[..begin.len() - 1], now).unwrap();
        assert!(frames.in_head(), "the last frame is not complete");
        frames.scan(&end, now).unwrap();
        assert!(!frames.in_head());
        assert_eq!(frames.sections(), 1);
        frames.scan(&frame(HEADERS, END_HEADERS | END_STREAM, 5), now).unwrap();
        assert_eq!((frames.in_head(), frames.sections()), (false, 2));
    }
}
