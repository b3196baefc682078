//! Lines and fields of raw HTTP/1 bytes, as the framing scanner sees them.

use super::framing::Violation;

/// One line, or the lack of one.
pub(super) enum Line<'l, 'b> {
    /// A line without its CRLF, and the bytes after it.
    Complete(&'l [u8], &'b [u8]),
    /// All bytes belong to a line that goes on.
    Incomplete,
    /// The line is longer than the limit.
    TooLong,
}

/// Puts lines together that come in pieces. A line that comes whole is not copied.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    limit: usize,
    begun: Vec<u8>,
    complete: bool,
}

impl LineReader {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            begun: Vec::new(),
            complete: false,
        }
    }

    /// Whether part of a line has been read.
    pub(super) fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The line that all of these bytes begin with, and the bytes after it, where it is as it should be: nearly always.
    pub(super) fn read_whole<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        let end = memchr::memchr2(b'\r', b'\n', bytes)?;
        if !self.begun.is_empty() || end + 2 > self.limit {
            return None;
        }
        let (line, rest) = bytes.split_at(end);
        Some((line, rest.strip_prefix(b"\r\n")?))
    }

    /// Reads up to the end of a line.
    pub(super) fn read<'l, 'b: 'l>(&'l mut self, bytes: &'b [u8]) -> Result<Line<'l, 'b>, Violation> {
        let end = memchr::memchr(b'\n', bytes);
        let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        if self.begun.len() + piece.len() > self.limit {
            return Ok(Line::TooLong);
        }
        self.complete = end.is_some();
        if self.begun.is_empty() && self.complete {
            return without_crlf(piece).map(|line| Line::Complete(line, rest));
        }
        self.begun.extend_from_slice(piece);
        if !self.complete {
            return Ok(Line::Incomplete);
        }
        without_crlf(&self.begun).map(|line| Line::Complete(line, rest))
    }

    /// Forgets a line that has been read to its end.
    pub(super) fn clear_if_complete(&mut self) {
        if self.complete {
            self.begun.clear();
        }
    }
}

fn without_crlf(line: &[u8]) -> Result<&[u8], Violation> {
    let line = line.strip_suffix(b"\r\n").ok_or(Violation::BareLf)?;
    if memchr::memchr(b'\r', line).is_some() {
        Err(Violation::BareCr)
    } else {
        Ok(line)
    }
}

/// A header field's line.
pub(super) struct FieldLine<'l> {
    name: &'l [u8],
    // With white space around it: hardly any value is looked at.
    value: &'l [u8],
}

impl<'l> FieldLine<'l> {
    pub(super) fn parse(line: &'l [u8]) -> Result<Self, Violation> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Violation::FoldedLine);
        }
        let colon = memchr::memchr(b':', line).ok_or(Violation::MalformedField)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || matches!(name.last(), Some(b' ' | b'\t')) {
            return Err(Violation::MalformedField);
        }
        Ok(Self {
            name,
            value: value.get(1..).unwrap_or_default(),
        })
    }

    pub(super) fn name(&self) -> &'l [u8] {
        self.name
    }

    /// Whether it is the field of that (lower-case) name.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.len() == name.len() && self.name.eq_ignore_ascii_case(name)
    }

    /// The value without spaces and tabs around it: no other white space is allowed there (RFC 9110, section 5.6.3).
    pub(super) fn value(&self) -> &'l [u8] {
        let mut value = self.value;
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
            value = rest;
        }
        value
    }

    /// The value as a length.
    pub(super) fn length(&self) -> Option<u64> {
        plain_length(self.value())
    }
}

/// A length in bytes in its only form: at most 19 decimal digits, which a `u64` holds, without leading zeros, which some
/// servers take for the sign of an octal number.
pub(crate) fn plain_length(value: &[u8]) -> Option<u64> {
    match value {
        [] | [b'0', _, ..] => None,
        _ if value.len() > 19 || !value.iter().all(u8::is_ascii_digit) => None,
        _ => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}
