//! HTTP/2 frame by frame, for what no library would send.

use std::net::SocketAddr;

use crate::raw_client::RawClient;

/// A cleartext HTTP/2 connection, written by hand. Header blocks are literals without Huffman coding or indexing.
pub struct H2Frames {
    client: RawClient,
    unread: Vec<u8>,
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Type: see [`frame`].
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// Stream.
    pub stream: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

/// Frame types.
pub mod frame {
    /// DATA
    pub const DATA: u8 = 0;
    /// HEADERS
    pub const HEADERS: u8 = 1;
    /// RST_STREAM
    pub const RST_STREAM: u8 = 3;
    /// PRIORITY
    pub const PRIORITY: u8 = 2;
    /// SETTINGS
    pub const SETTINGS: u8 = 4;
    /// PING
    pub const PING: u8 = 6;
    /// WINDOW_UPDATE
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION
    pub const CONTINUATION: u8 = 9;
    /// GOAWAY
    pub const GOAWAY: u8 = 7;
}

/// Flag: the stream's last frame.
pub const END_STREAM: u8 = 0x1;
/// Flag: the header block is complete.
pub const END_HEADERS: u8 = 0x4;

impl H2Frames {
    /// Connects, and sends the preface and empty settings.
    pub fn connect(addr: SocketAddr) -> Self {
        let mut client = RawClient::connect(addr);
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut frames = Self {
            client,
            unread: Vec::new(),
        };
        frames.send(frame::SETTINGS, 0, 0, &[]);
        frames
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        self.client.send(frame_bytes(kind, flags, stream, payload));
        self
    }

    /// Sends frames or parts of frames as they are, unless the connection has ended.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.client.try_send(bytes).is_ok()
    }

    /// Lets the gateway send so many bytes of each response without being asked for more.
    pub fn window(&mut self, bytes: u32) -> &mut Self {
        let payload = [&[0, 4][..], &bytes.to_be_bytes()].concat();
        self.send(frame::SETTINGS, 0, 0, &payload)
    }

    /// Sends a header block as it is.
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end_stream: bool) -> &mut Self {
        let flags = END_HEADERS | if end_stream { END_STREAM } else { 0 };
        self.send(frame::HEADERS, flags, stream, &block(fields))
    }

    /// Sends a body's piece.
    pub fn data(&mut self, stream: u32, bytes: &[u8], end_stream: bool) -> &mut Self {
        self.send(frame::DATA, u8::from(end_stream), stream, bytes)
    }

    /// The next frame; none when the connection ends.
    pub fn read(&mut self) -> Option<Frame> {
        let head = self.take(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload: self.take(length)?,
        })
    }

    /// What becomes of a stream: the status of its response, or the error code of the reset or of the connection.
    pub fn outcome(&mut self, stream: u32) -> StreamOutcome {
        while let Some(frame) = self.read() {
            match frame.kind {
                frame::RST_STREAM if frame.stream == stream => return StreamOutcome::Reset(code(&frame.payload)),
                frame::GOAWAY if code(&frame.payload[4..]) != 0 => {
                    return StreamOutcome::GoAway(code(&frame.payload[4..]));
                }
                frame::HEADERS if frame.stream == stream => return StreamOutcome::Answered(frame.payload),
                _ => {}
            }
        }
        StreamOutcome::Closed
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            let more = self.client.read_some()?;
            self.unread.extend(more);
        }
        Some(self.unread.drain(..count).collect())
    }
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOutcome {
    /// A response came; its header block.
    Answered(Vec<u8>),
    /// The stream was reset with this code.
    Reset(u32),
    /// The connection was given up with this code.
    GoAway(u32),
    /// The connection ended.
    Closed,
}

/// The error code for what breaks the protocol.
pub const PROTOCOL_ERROR: u32 = 1;

impl StreamOutcome {
    /// The status of the response, where HPACK's static table has it, or else as the literal says.
    pub fn status(&self) -> Option<u16> {
        let Self::Answered(block) = self else { return None };
        match *block.first()? {
            index @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500]
                .get(usize::from(index - 0x88))
                .copied(),
            // A literal with the name `:status`, indexed or not.
            _ => {
                let (length, rest) = (block.get(1)? & 0x7f, block.get(2..)?);
                let text = rest.get(..usize::from(length))?;
                if block.get(1)? & 0x80 != 0 {
                    return huffman_digits(text);
                }
                std::str::from_utf8(text).ok()?.parse().ok()
            }
        }
    }
}

/// Three decimal digits in HPACK's Huffman code: `0`–`2` have five bits, the others six.
fn huffman_digits(text: &[u8]) -> Option<u16> {
    let bits: String = text.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut rest, mut number) = (bits.as_str(), 0);
    for _ in 0..3 {
        let five = u16::from_str_radix(rest.get(..5)?, 2).ok()?;
        let (digit, length) = if five <= 2 {
            (five, 5)
        } else {
            (u16::from_str_radix(rest.get(..6)?, 2).ok()?.checked_sub(0x19)? + 3, 6)
        };
        number = number * 10 + digit;
        rest = rest.get(length..)?;
    }
    Some(number)
}

/// A frame as it is sent.
pub fn frame_bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block of literals.
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    block(fields)
}

fn code(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}
