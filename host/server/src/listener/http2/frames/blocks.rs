//! A look at the header blocks of a client of HTTP/2 (HPACK, RFC 7541), for what the library does not tell: whether there
//! was a fragment in `:path`.
//!
//! The library cuts fragments off, and nobody behind it could refuse what was sent (RFC 9113, section 8.3.1). Nothing is
//! decoded here. What is kept of the dynamic table is what it takes to know which of its entries are paths, and when
//! they leave it: the length of each entry, for which texts in Huffman's code are measured.

use std::collections::VecDeque;

/// Octets of the dynamic table: what a client may use that was told nothing else (RFC 9113, section 6.5.2).
const TABLE_BYTES: usize = 4096;
/// What an entry takes beyond its texts (RFC 7541, section 4.1).
const ENTRY_BYTES: usize = 32;
/// The most octets of a number, as the library reads it.
const NUMBER_OCTETS: u32 = 5;

/// Reads a client's header blocks, one after the other.
#[derive(Debug)]
pub(super) struct Blocks {
    state: State,
    field: Field,
    text: Text,
    table: Table,
    has_fragment: bool,
}

/// The library does not understand it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A field.
    Field,
    /// The rest of a number.
    Number(Number),
    /// A text's length.
    Length,
    /// A text.
    Text,
}

/// A number that is being read (section 5.1).
#[derive(Clone, Copy, Debug)]
struct Number {
    of: Of,
    value: usize,
    octets: u32,
}

/// What a number says.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// Which entry of the tables the field is.
    Entry,
    /// Which entry of the tables has the field's name; 0 where it follows.
    Name,
    /// How large the dynamic table may be.
    TableSize,
    /// The length of a text.
    Length,
}

/// A field that is written out (section 6.2).
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    /// It becomes an entry of the dynamic table.
    indexed: bool,
    /// Of its name.
    name: Name,
    /// Its name is known, and its value comes.
    in_value: bool,
}

/// The name of a field.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    bytes: usize,
    is_path: bool,
}

impl Blocks {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self {
            state: State::Field,
            field: Field::default(),
            text: Text::default(),
            table: Table::default(),
            has_fragment: false,
        }
    }

    /// Ends a block, and says whether its path had a fragment. A block that ends within a field is malformed.
    pub(super) fn end(&mut self) -> Result<bool, Malformed> {
        match self.state {
            State::Field => Ok(std::mem::take(&mut self.has_fragment)),
            _ => Err(Malformed),
        }
    }

    /// Reads on in a block.
    ///
    /// # Errors
    /// When it cannot be read. Nothing may be read after it.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while let [octet, rest @ ..] = bytes {
            match self.state {
                State::Field => self.begin(*octet)?,
                State::Number(number) => self.go_on(number, *octet)?,
                State::Length => {
                    self.text = Text {
                        huffman: octet & 0x80 != 0,
                        ..Text::default()
                    };
                    self.number(Of::Length, *octet, 7)?;
                }
                State::Text => {
                    let (text, rest) = bytes.split_at(self.text.left.min(bytes.len()));
                    self.text.read(text, self.field);
                    if self.text.left == 0 {
                        self.end_text();
                    }
                    bytes = rest;
                    continue;
                }
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Begins a field, or a new size of the table (section 6).
    fn begin(&mut self, octet: u8) -> Result<(), Malformed> {
        self.field = Field {
            indexed: octet & 0xc0 == 0x40,
            ..Field::default()
        };
        match octet {
            0x80.. => self.number(Of::Entry, octet, 7),
            0x40.. => self.number(Of::Name, octet, 6),
            0x20.. => self.number(Of::TableSize, octet, 5),
            _ => self.number(Of::Name, octet, 4),
        }
    }

    /// Begins a number that has so many bits of its first octet.
    fn number(&mut self, of: Of, octet: u8, bits: u32) -> Result<(), Malformed> {
        let most = (1 << bits) - 1;
        let value = usize::from(octet) & most;
        if value < most {
            return self.said(of, value);
        }
        self.state = State::Number(Number { of, value, octets: 1 });
        Ok(())
    }

    fn go_on(&mut self, number: Number, octet: u8) -> Result<(), Malformed> {
        let Number { of, value, octets } = number;
        let value = value + (usize::from(octet & 0x7f) << (7 * (octets - 1)));
        let octets = octets + 1;
        if octet & 0x80 == 0 {
            return self.said(of, value);
        }
        if octets == NUMBER_OCTETS {
            return Err(Malformed);
        }
        self.state = State::Number(Number { of, value, octets });
        Ok(())
    }

    /// A number is complete.
    fn said(&mut self, of: Of, value: usize) -> Result<(), Malformed> {
        self.state = match of {
            Of::Entry => {
                self.has_fragment |= self.table.has_fragment(value);
                State::Field
            }
            Of::TableSize => {
                self.table.resize(value)?;
                State::Field
            }
            Of::Name if value == 0 => State::Length,
            Of::Name => {
                self.field.name = self.table.name(value)?;
                self.field.in_value = true;
                State::Length
            }
            Of::Length => {
                self.text.left = value;
                if value == 0 {
                    self.end_text();
                    return Ok(());
                }
                State::Text
            }
        };
        Ok(())
    }

    /// A text is complete: a name, or a value and the field with it.
    fn end_text(&mut self) {
        if !self.field.in_value {
            self.field.name = self.text.as_name();
            self.field.in_value = true;
            self.state = State::Length;
            return;
        }
        let Field { indexed, name, .. } = self.field;
        let has_fragment = name.is_path && self.text.has_hash;
        self.has_fragment |= has_fragment;
        if indexed {
            self.table.insert(Entry {
                name,
                bytes: name.bytes + self.text.bytes + ENTRY_BYTES,
                has_fragment,
            });
        }
        self.state = State::Field;
    }
}

/// A text that is being read (section 5.2).
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    huffman: bool,
    /// Octets that are still to come.
    left: usize,
    /// How long it is when it is decoded, where that matters.
    bytes: usize,
    /// Its first octets as they come.
    start: [u8; PATH.len()],
    started: usize,
    /// There is a `#` in it, where that matters.
    has_hash: bool,
    /// Bits that have come and belong to no character yet.
    bits: Bits,
}

const PATH: [u8; 5] = *b":path";
const PATH_IN_HUFFMAN: [u8; 4] = [0xb9, 0x58, 0xd3, 0x3f];

impl Text {
    fn read(&mut self, octets: &[u8], field: Field) {
        self.left -= octets.len();
        let room = self.start.iter_mut().skip(self.started);
        room.zip(octets).for_each(|(to, from)| *to = *from);
        self.started = self.started.saturating_add(octets.len());
        let is_path = field.in_value && field.name.is_path;
        if !self.huffman {
            self.bytes += octets.len();
            self.has_hash |= is_path && octets.contains(&b'#');
        } else if field.indexed || is_path {
            for octet in octets {
                self.bits.add(*octet);
                while let Some(code) = self.bits.next() {
                    self.bytes += 1;
                    self.has_hash |= code == HASH;
                }
            }
        }
    }

    /// What it says of a name.
    fn as_name(&self) -> Name {
        let start = self.start.get(..self.started).unwrap_or_default();
        Name {
            bytes: self.bytes,
            is_path: start == if self.huffman { &PATH_IN_HUFFMAN[..] } else { &PATH },
        }
    }
}

/// Bits of a text in Huffman's code (RFC 7541, appendix B).
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    bits: u64,
    count: u32,
}

/// A character's code: its value, and how many bits it has.
type Code = (u64, u32);

/// The code of `#`.
const HASH: Code = (0xffa, 12);

/// How many bits a code may have, and the value after the last one of those that have as many. The code is canonical:
/// codes of one length are in a row, and what is longer begins after them.
const CODES: [Code; 21] = [
    (0xa, 5),
    (0x2e, 6),
    (0x7c, 7),
    (0xfe, 8),
    (0x3fd, 10),
    (0x7fd, 11),
    (0xffc, 12),
    (0x1ffe, 13),
    (0x3ffe, 14),
    (0x7fff, 15),
    (0x7_fff3, 19),
    (0xf_ffee, 20),
    (0x1f_ffe9, 21),
    (0x3f_ffec, 22),
    (0x7f_fff5, 23),
    (0xff_fff6, 24),
    (0x1ff_fff0, 25),
    (0x3ff_ffef, 26),
    (0x7ff_fff1, 27),
    (0xfff_ffff, 28),
    (0x4000_0000, 30),
];

impl Bits {
    /// No code is longer than 30 bits, so there are never more than 37.
    fn add(&mut self, octet: u8) {
        self.bits = self.bits << 8 | u64::from(octet);
        self.count += 8;
    }

    /// The next character's code, if all of it is there.
    fn next(&mut self) -> Option<Code> {
        for (after, length) in CODES {
            let left = self.count.checked_sub(length)?;
            let value = self.bits >> left;
            if value < after {
                self.bits &= (1 << left) - 1;
                self.count = left;
                return Some((value, length));
            }
        }
        None
    }
}

/// The dynamic table (section 2.3.2).
#[derive(Debug)]
struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    most_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Name,
    bytes: usize,
    has_fragment: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            most_bytes: TABLE_BYTES,
        }
    }
}

impl Table {
    /// An entry by its number, if it is no static one.
    fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index.checked_sub(STATIC.len() + 1)?)
    }

    fn has_fragment(&self, index: usize) -> bool {
        self.entry(index).is_some_and(|entry| entry.has_fragment)
    }

    fn name(&self, index: usize) -> Result<Name, Malformed> {
        match index.checked_sub(1).and_then(|index| STATIC.get(index)) {
            Some(name) => Ok(Name {
                bytes: name.len(),
                is_path: name.as_bytes() == PATH,
            }),
            None => self.entry(index).map(|entry| entry.name).ok_or(Malformed),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.shrink(self.most_bytes.saturating_sub(entry.bytes));
        // One that is too large for the table leaves it empty (section 4.4).
        if entry.bytes <= self.most_bytes {
            self.bytes += entry.bytes;
            self.entries.push_front(entry);
        }
    }

    fn resize(&mut self, bytes: usize) -> Result<(), Malformed> {
        if bytes > TABLE_BYTES {
            return Err(Malformed);
        }
        self.most_bytes = bytes;
        self.shrink(bytes);
        Ok(())
    }

    fn shrink(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some(oldest) = self.entries.pop_back()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

/// The names of the static table (appendix A), from its entry 1 on.
const STATIC: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

#[cfg(test)]
mod tests;
