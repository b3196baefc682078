//! A strict second look at raw HTTP/1 bytes.
//!
//! hyper forgives what RFC 9112 lets a server forgive, and forgets it: lines that end in a bare LF, a
//! `Content-Length` beside a `Transfer-Encoding`. Two parsers in a row that forgive differently are how requests are
//! smuggled, so the gateway forgives nothing. This scanner reads the same bytes as hyper does, keeps no message, and
//! only says whether there was something wrong, and in which one.

#[cfg(test)]
mod tests;

use crate::listener::chunk_extension::is_chunk_extension;
use crate::listener::framing_line::{FieldLine, Line, LineReader};

/// What is wrong with a message. The text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A line ends in LF without CR.
    BareLf,
    /// CR within a line.
    BareCr,
    /// A request target with a `#`.
    Fragment,
    /// A header line that begins with white space.
    FoldedLine,
    /// A header line without a name and a colon.
    MalformedField,
    /// `Content-Length` is not a number of at most 19 digits without leading zeros.
    BadContentLength,
    /// More than one `Content-Length`.
    RepeatedContentLength,
    /// `Transfer-Encoding` is something else than `chunked`, or there is more than one.
    BadTransferEncoding,
    /// `Content-Length` and `Transfer-Encoding` in one message.
    LengthAndTransferEncoding,
    /// A chunk's size is not hexadecimal or too large.
    BadChunkSize,
    /// A chunk extension that is no list of names and values.
    BadChunkExtension,
    /// A chunk extension of more than 4 KiB.
    LongChunkExtension,
    /// A chunk does not end in CRLF.
    BadChunkEnd,
    /// A status outside 100–599, or 101 that nobody asked for.
    BadStatus,
    /// Too many interim responses before the final one.
    InterimFlood,
}

impl Violation {
    /// As the access log writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "a line ends in LF without CR",
            Self::BareCr => "CR within a line",
            Self::Fragment => "fragment in the request target",
            Self::FoldedLine => "folded header line",
            Self::MalformedField => "header line without name",
            Self::BadContentLength => "malformed Content-Length",
            Self::RepeatedContentLength => "repeated Content-Length",
            Self::BadTransferEncoding => "Transfer-Encoding other than chunked",
            Self::LengthAndTransferEncoding => "Content-Length with Transfer-Encoding",
            Self::BadChunkSize => "malformed chunk size",
            Self::BadChunkExtension => "malformed chunk extension",
            Self::LongChunkExtension => "chunk extension too long",
            Self::BadChunkEnd => "chunk does not end in CRLF",
            Self::BadStatus => "invalid status",
            Self::InterimFlood => "too many interim responses",
        }
    }
}

/// Interim responses that an upstream may send before the final one.
const MAX_INTERIM_RESPONSES: u8 = 8;
const MAX_CHUNK_EXTENSION: usize = 4096;

/// Which side's messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Requests of a client, one after the other on a connection.
    Requests,
    /// Responses of an upstream: one final response after each [`Scanner::expect_response`].
    Responses,
}

/// Scans one direction of a connection.
#[derive(Debug)]
pub struct Scanner {
    side: Side,
    state: State,
    line: LineReader,
    head: Head,
    heads: u64,
    violated_in_body: bool,
    sound: usize,
    // Interim responses that are complete, and the one that is being read.
    interims: Vec<Early>,
    interim: Option<Early>,
}

/// An interim response as it came (RFC 9110, section 15.2), other than 100.
#[derive(Debug)]
pub struct Early {
    /// Its status.
    pub status: u16,
    /// Names and values of its fields.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before or in a start line.
    StartLine,
    /// In a header section.
    Fields,
    /// In a body of known length.
    Body(u64),
    /// In a line with a chunk's size.
    ChunkSize,
    /// In a chunk.
    Chunk(u64),
    /// In the line end after a chunk.
    ChunkEnd,
    /// In a trailer section.
    Trailers,
    /// Nothing more is looked at: the rest cannot be understood, or belongs to hyper's own checks.
    Idle,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    content_length: Option<u64>,
    chunked: bool,
    interim: bool,
    interim_responses: u8,
    bodiless: bool,
}

impl Scanner {
    /// A scanner at the beginning of a connection. Lines longer than `line_limit` bytes are not kept: hyper refuses
    /// them by its own limit.
    pub fn new(side: Side, line_limit: usize) -> Self {
        let state = if side == Side::Requests {
            State::StartLine
        } else {
            State::Idle
        };
        Self {
            side,
            state,
            line: LineReader::new(line_limit),
            head: Head::default(),
            heads: 0,
            violated_in_body: false,
            sound: 0,
            interims: Vec::new(),
            interim: None,
        }
    }

    /// A request has been sent: what comes next on this connection is its response, which has no body if it is one to
    /// `HEAD`.
    pub fn expect_response(&mut self, to_head: bool) {
        self.state = State::StartLine;
        self.head = Head {
            bodiless: to_head,
            ..Head::default()
        };
    }

    /// Takes the interim responses that have come since they were taken.
    pub fn take_interims(&mut self) -> Vec<Early> {
        std::mem::take(&mut self.interims)
    }

    /// Complete header sections so far.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the violation was in a body, after its message's header section.
    pub fn violated_in_body(&self) -> bool {
        self.violated_in_body
    }

    /// How many of the bytes last scanned come before the line with the violation.
    pub fn sound(&self) -> usize {
        self.sound
    }

    /// Whether a message's header section is complete and its body is not.
    pub fn in_body(&self) -> bool {
        match self.state {
            State::Body(_) | State::ChunkSize | State::Chunk(_) | State::ChunkEnd | State::Trailers => true,
            State::StartLine | State::Fields | State::Idle => false,
        }
    }

    /// Whether a message has begun and its header section is not complete.
    pub fn in_head(&self) -> bool {
        match self.state {
            State::StartLine => self.line.has_begun(),
            State::Fields => true,
            _ => false,
        }
    }

    /// Whether the scanner is between two messages.
    pub fn between_messages(&self) -> bool {
        self.state == State::StartLine && !self.line.has_begun()
    }

    /// Reads on.
    ///
    /// # Errors
    /// The first violation. It belongs to message number [`Scanner::heads`], counted from 0, if it is in a header
    /// section, and to the one before if it is in a body. The scanner looks at nothing more after it.
    pub fn scan(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        let count = bytes.len();
        while !bytes.is_empty() && self.state != State::Idle {
            let in_head = matches!(self.state, State::StartLine | State::Fields);
            match self.step(bytes) {
                Ok(rest) => bytes = rest,
                Err(violation) => {
                    self.violated_in_body = !in_head;
                    self.sound = count - bytes.len();
                    self.state = State::Idle;
                    return Err(violation);
                }
            }
        }
        Ok(())
    }

    fn step<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Violation> {
        match self.state {
            State::Body(left) => {
                let (left, rest) = skip(left, bytes);
                self.state = if left == 0 { State::StartLine } else { State::Body(left) };
                Ok(rest)
            }
            State::Chunk(left) => {
                let (left, rest) = skip(left, bytes);
                self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                Ok(rest)
            }
            State::Idle => Ok(Default::default()),
            _ => self.step_line(bytes),
        }
    }

    fn step_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Violation> {
        if let Some((line, rest)) = self.line.read_whole(bytes) {
            return self.line_complete(line).map(|()| rest);
        }
        let mut reader = std::mem::take(&mut self.line);
        let result = match reader.read(bytes)? {
            Line::Complete(line, rest) => self.line_complete(line).map(|()| rest),
            Line::Incomplete => Ok(Default::default()),
            Line::TooLong => {
                // In a chunk's line that is an extension without end; in a head it is for hyper's limit to refuse.
                let in_chunk = self.state == State::ChunkSize;
                self.state = State::Idle;
                if in_chunk {
                    Err(Violation::LongChunkExtension)
                } else {
                    Ok(Default::default())
                }
            }
        };
        reader.clear_if_complete();
        self.line = reader;
        result
    }

    fn line_complete(&mut self, line: &[u8]) -> Result<(), Violation> {
        match self.state {
            // Empty lines before a request line are allowed (RFC 9112, section 2.2).
            State::StartLine if line.is_empty() => Ok(()),
            State::StartLine => self.start_line(line),
            State::Fields if line.is_empty() => self.head_complete(),
            State::Fields => self.field(line),
            State::ChunkSize => self.chunk_size(line),
            State::ChunkEnd if line.is_empty() => {
                self.state = State::ChunkSize;
                Ok(())
            }
            State::ChunkEnd => Err(Violation::BadChunkEnd),
            State::Trailers if line.is_empty() => {
                self.state = match self.side {
                    Side::Requests => State::StartLine,
                    Side::Responses => State::Idle,
                };
                Ok(())
            }
            State::Trailers => FieldLine::parse(line).map(|_| ()),
            State::Body(_) | State::Chunk(_) | State::Idle => Ok(()),
        }
    }

    fn start_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        self.head = Head {
            interim_responses: self.head.interim_responses,
            bodiless: self.head.bodiless,
            ..Head::default()
        };
        self.state = State::Fields;
        match self.side {
            Side::Responses => {
                let status = status(line)?;
                self.head.interim = status < 200;
                // Whether the client goes on with its body is between it and the gateway.
                self.interim = matches!(status, 102..200).then(|| Early {
                    status,
                    fields: Vec::new(),
                });
                self.head.bodiless |= matches!(status, 204 | 304);
            }
            // hyper cuts it off, and another server may take it for a part of the path.
            Side::Requests if memchr::memchr(b'#', line).is_some() => return Err(Violation::Fragment),
            Side::Requests => {}
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let field = FieldLine::parse(line)?;
        if let Some(interim) = &mut self.interim {
            interim.fields.push((field.name().to_vec(), field.value().to_vec()));
        }
        if field.is(b"content-length") {
            if self.head.content_length.is_some() {
                return Err(Violation::RepeatedContentLength);
            }
            self.head.content_length = Some(field.length().ok_or(Violation::BadContentLength)?);
        } else if field.is(b"transfer-encoding") {
            if self.head.chunked || !field.value().eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::BadTransferEncoding);
            }
            self.head.chunked = true;
        }
        Ok(())
    }

    fn head_complete(&mut self) -> Result<(), Violation> {
        if self.head.chunked && self.head.content_length.is_some() {
            return Err(Violation::LengthAndTransferEncoding);
        }
        if self.head.interim {
            self.head.interim_responses += 1;
            self.interims.extend(self.interim.take());
            self.state = State::StartLine;
            let flood = self.head.interim_responses > MAX_INTERIM_RESPONSES;
            return if flood { Err(Violation::InterimFlood) } else { Ok(()) };
        }
        self.heads += 1;
        self.state = match self.side {
            // Other bodies have nothing in them that could be malformed.
            Side::Responses if self.head.bodiless || !self.head.chunked => State::Idle,
            _ if self.head.chunked => State::ChunkSize,
            Side::Responses => State::Idle,
            Side::Requests => match self.head.content_length {
                Some(length) if length > 0 => State::Body(length),
                _ => State::StartLine,
            },
        };
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), Violation> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        if digits == 0 || digits > 16 {
            return Err(Violation::BadChunkSize);
        }
        if extension.len() > MAX_CHUNK_EXTENSION {
            return Err(Violation::LongChunkExtension);
        }
        if !is_chunk_extension(extension) {
            return Err(Violation::BadChunkExtension);
        }
        let size = std::str::from_utf8(size)
            .ok()
            .and_then(|text| u64::from_str_radix(text, 16).ok());
        self.state = match size.ok_or(Violation::BadChunkSize)? {
            0 => State::Trailers,
            size => State::Chunk(size),
        };
        Ok(())
    }
}

/// What is left of `left` bytes, and the bytes after them.
fn skip(left: u64, bytes: &[u8]) -> (u64, &[u8]) {
    match usize::try_from(left)
        .ok()
        .and_then(|count| bytes.split_at_checked(count))
    {
        Some((_, rest)) => (0, rest),
        None => (left - bytes.len() as u64, &[]),
    }
}

/// The status in a status line.
fn status(line: &[u8]) -> Result<u16, Violation> {
    let digits = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match *digits {
        [b'1', b'0', b'1'] => Err(Violation::BadStatus),
        [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Ok(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => Err(Violation::BadStatus),
    }
}
