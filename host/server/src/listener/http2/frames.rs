//! What a client's frames cost: a look at the same bytes as the HTTP/2 library reads. Header blocks are handed on to
//! [`Blocks`].
//!
//! Requests, and the data that the gateway sends, are what a connection is there for. All other frames are paid for out of
//! a purse that requests and data fill again: each of them costs work and asks for nothing, and some clients send nothing
//! else (CVE-2019-9512, -9513, -9515 and -9518, CVE-2023-44487, CVE-2024-27316).

mod blocks;

use std::time::Duration;

use tokio::time::Instant;

use self::blocks::{Blocks, Malformed};

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
    /// The frame that is being read is the last one of this stream's section.
    ends_section: Option<u32>,
    /// Header sections that were complete.
    sections: u64,
    purse: u32,
    filled_at: Instant,
    blocks: Blocks,
    /// Streams whose path had a fragment.
    fragments: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Octets of the preface that are still to come.
    Preface(usize),
    /// In a frame's header.
    Head([u8; HEAD], usize),
    /// In a frame with a piece of a header block.
    Piece(Piece),
    /// Octets of a frame that are still to come.
    Payload(usize),
}

/// A frame with a piece of a header block, behind the length of its padding and a priority, if they are there (RFC 9113,
/// section 6.2).
#[derive(Clone, Copy, Debug)]
struct Piece {
    stream: u32,
    /// Octets of the frame that are still to come, the padding at its end among them.
    left: usize,
    padding: usize,
    /// The length of the padding comes next.
    is_padded: bool,
    /// Octets of the priority that are still to come.
    priority: usize,
    /// The stream that it depends on, as far as that has come.
    dependency: u32,
}

impl Piece {
    /// The octet before the block.
    fn lead(&mut self, octet: u8) {
        self.left -= 1;
        if std::mem::take(&mut self.is_padded) {
            self.padding = octet.into();
            return;
        }
        // The last one is a weight.
        if self.priority > 1 {
            self.dependency = self.dependency << 8 | u32::from(octet);
        }
        self.priority -= 1;
    }

    fn is_led(&self) -> bool {
        self.is_padded || self.priority > 0
    }

    /// What comes next. The library reads no block of a stream that depends on itself.
    fn state(self) -> Result<State, Malformed> {
        let block = self.left.checked_sub(self.padding).ok_or(Malformed)?;
        match self.is_led() {
            true if block == 0 => Err(Malformed),
            false if block == 0 || self.dependency & STREAM == self.stream => Ok(State::Payload(self.left)),
            _ => Ok(State::Piece(self)),
        }
    }
}

/// The purse is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdrawn;

/// Why a client is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// The purse is empty. So many octets stand before what it was too small for.
    Overdrawn(usize),
    /// A header block cannot be read.
    Malformed,
}

impl From<Overdrawn> for Enough {
    fn from(Overdrawn: Overdrawn) -> Self {
        Self::Overdrawn(0)
    }
}

impl From<Malformed> for Enough {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl Default for Frames {
    /// At the beginning of a connection.
    fn default() -> Self {
        Self {
            state: State::Preface(PREFACE),
            in_section: false,
            ends_section: None,
            sections: 0,
            purse: PURSE,
            filled_at: Instant::now(),
            blocks: Blocks::new(),
            fragments: Vec::new(),
        }
    }
}

impl Frames {
    /// The streams whose path had a fragment, since this was asked the last time.
    pub fn fragments(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.fragments)
    }

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
    /// When the frames cost more than the purse holds, or a header block cannot be read.
    pub fn scan(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Enough> {
        let all = bytes.len();
        while !bytes.is_empty() {
            let taken;
            (self.state, taken) = match self.state {
                State::Preface(left) => {
                    let taken = left.min(bytes.len());
                    (self.skipped(left - taken, State::Preface)?, taken)
                }
                State::Payload(left) => {
                    let taken = left.min(bytes.len());
                    (self.skipped(left - taken, State::Payload)?, taken)
                }
                State::Piece(mut piece) if piece.is_led() => {
                    bytes.iter().take(1).for_each(|octet| piece.lead(*octet));
                    (piece.state()?, 1)
                }
                State::Piece(mut piece) => {
                    let taken = (piece.left - piece.padding).min(bytes.len());
                    self.blocks.scan(bytes.get(..taken).unwrap_or_default())?;
                    piece.left -= taken;
                    (piece.state()?, taken)
                }
                State::Head(mut head, have) => {
                    let room = head.get_mut(have..).unwrap_or_default();
                    let taken = room.len().min(bytes.len());
                    for (to, from) in room.iter_mut().zip(bytes) {
                        *to = *from;
                    }
                    let state = match have + taken {
                        HEAD => self.frame(head, now).map_err(|enough| match enough {
                            Enough::Overdrawn(_) => Enough::Overdrawn(all - bytes.len()),
                            Enough::Malformed => enough,
                        })?,
                        have => State::Head(head, have),
                    };
                    (state, taken)
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
            // A frame without a payload is over with its header.
            if let State::Payload(0) = self.state {
                self.state = self.skipped(0, State::Payload)?;
            }
        }
        Ok(())
    }

    fn skipped(&mut self, left: usize, state: fn(usize) -> State) -> Result<State, Malformed> {
        if left > 0 {
            return Ok(state(left));
        }
        if let Some(stream) = self.ends_section.take() {
            self.in_section = false;
            self.sections += 1;
            if self.blocks.end()? {
                self.fragments.push(stream);
            }
        }
        Ok(State::Head([0; HEAD], 0))
    }

    /// A frame begins.
    fn frame(&mut self, head: [u8; HEAD], now: Instant) -> Result<State, Enough> {
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let cost = cost(kind, flags, length);
        if cost > 0 {
            self.spend(cost, now)?;
        }
        if !matches!(kind, HEADERS | CONTINUATION) {
            return Ok(State::Payload(length));
        }
        let stream = u32::from_be_bytes(stream) & STREAM;
        self.in_section = true;
        self.ends_section = (flags & END_HEADERS != 0).then_some(stream);
        let has = |flag| kind == HEADERS && flags & flag != 0;
        let piece = Piece {
            stream,
            left: length,
            padding: 0,
            is_padded: has(PADDED),
            priority: if has(PRIORITY) { 5 } else { 0 },
            dependency: 0,
        };
        Ok(piece.state()?)
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
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The bits of a stream's number; the one before them is reserved.
const STREAM: u32 = 0x7fff_ffff;

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

    /// Entry 2 of the static table, as often as it fits, where it is a header block.
    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        with(kind, flags, &vec![0x82; length])
    }

    fn with(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
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
    fn what_follows_the_last_frame_that_is_paid_for_is_told_apart() {
        let flood = frame(PING, ACK, 8).repeat(1_200);
        let mut frames = Frames::default();
        let now = frames.filled_at;
        frames.scan(&[b'x'; PREFACE], now).unwrap();
        assert_eq!(frames.scan(&flood, now), Err(Enough::Overdrawn(1_000 * (HEAD + 8))));
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
    fn a_fragment_is_found_in_whatever_frames_a_header_block_comes() {
        const PATH: &[u8] = b"\x04\x04/a#b";
        let padded = [&[3][..], PATH, &[0; 3]].concat();
        let depending = |stream: u8| [&[0, 0, 0, stream, 7][..], PATH].concat();
        let both = [&[2, 0x80, 0, 0, 3, 7][..], PATH, &[0; 2]].concat();
        let cut = |at: usize| {
            let (first, last) = PATH.split_at(at);
            let between = with(CONTINUATION, 0, &[]);
            [with(HEADERS, 0, first), between, with(CONTINUATION, END_HEADERS, last)].concat()
        };
        let found = |frames: &[u8]| {
            let counts = [1, 2, 5, usize::MAX].map(|size| {
                let mut looking = Frames::default();
                let now = looking.filled_at;
                looking.scan(&[b'x'; PREFACE], now).unwrap();
                let mut pieces = frames.chunks(size.min(frames.len()));
                pieces
                    .try_for_each(|piece| looking.scan(piece, now))
                    .map(|()| looking.fragments())
            });
            assert!(counts.iter().all(|one| *one == counts[0]), "{counts:?}");
            counts[0].clone()
        };
        let one = Ok(vec![1]);
        assert_eq!(found(&with(HEADERS, END_HEADERS, PATH)), one);
        assert_eq!(found(&with(HEADERS, END_HEADERS | PADDED, &padded)), one);
        assert_eq!(found(&with(HEADERS, END_HEADERS | PRIORITY, &depending(3))), one);
        assert_eq!(found(&with(HEADERS, END_HEADERS | PADDED | PRIORITY, &both)), one);
        for at in 0..=PATH.len() {
            assert_eq!(found(&cut(at)), one, "{at}");
        }
        assert_eq!(found(&with(HEADERS, END_HEADERS, b"\x04\x04/a%b")), Ok(vec![]));
        assert_eq!(
            found(&with(HEADERS, END_HEADERS | PRIORITY, &depending(1))),
            Ok(vec![]),
            "the library resets a stream that depends on itself"
        );
        let broken = Err(Enough::Malformed);
        assert_eq!(found(&with(HEADERS, END_HEADERS, &PATH[..4])), broken);
        assert_eq!(found(&with(HEADERS, END_HEADERS | PADDED, &[])), broken);
        assert_eq!(found(&with(HEADERS, END_HEADERS | PADDED, &[2, 0])), broken);
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
        let (begin, end) = (frame(CONTINUATION, END_HEADERS, 5), [0x82; 1]);
        frames.scan(&begin[..begin.len() - 1], now).unwrap();
        assert!(frames.in_head(), "the last frame is not complete");
        frames.scan(&end, now).unwrap();
        assert!(!frames.in_head());
        assert_eq!(frames.sections(), 1);
        frames.scan(&frame(HEADERS, END_HEADERS | END_STREAM, 5), now).unwrap();
        assert_eq!((frames.in_head(), frames.sections()), (false, 2));
    }
}
