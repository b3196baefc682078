//! What single bytes and percent-escapes are in a path.

use std::str;

use percent_encoding::percent_decode_str;

/// What a byte is in a raw path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Stays as it is, anywhere.
    Plain,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// Clients send it, but RFC 3986 has it percent-encoded.
    Encoded,
    /// `\`
    Backslash,
    /// Has no business in a path.
    Refused,
}

/// The class of a byte.
pub(super) fn class(byte: u8) -> Class {
    static CLASSES: [Class; 256] = classes();
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Refused)
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiled; an index out of bounds does not build"
)]
const fn classes() -> [Class; 256] {
    let mut classes = [Class::Refused; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = class_of(byte as u8);
        byte += 1;
    }
    classes
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Class::Plain,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => Class::Plain,
        b'/' => Class::Slash,
        b'%' => Class::Percent,
        b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => Class::Encoded,
        b'\\' => Class::Backslash,
        _ => Class::Refused,
    }
}

/// Whether RFC 3986 says that `%` is never needed for this byte.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}

/// The byte that the escape after a `%` stands for, and what follows.
pub(super) fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else { return None };
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

/// What follows the escape after a `%`, when the escape is one of a normal path.
pub(super) fn normal_escape(text: &[u8]) -> Option<&[u8]> {
    let (value, rest) = escape(text)?;
    let is_lower = text.iter().take(2).any(u8::is_ascii_lowercase);
    let is_doubled = value == b'%' && escape(rest).is_some();
    let is_other = is_unreserved(value) || value.is_ascii_control() || matches!(value, b'/' | b'\\');
    (!is_lower && !is_doubled && !is_other).then_some(rest)
}

/// Adds `%XX`.
pub(super) fn push_escape(path: &mut String, byte: u8) {
    path.push_str(percent_encoding::percent_encode_byte(byte));
}

/// Whether there is a `%25` with two hexadecimal digits behind it.
pub(super) fn is_doubly_encoded(segment: &str) -> bool {
    segment
        .match_indices("%25")
        .any(|(at, _)| segment.as_bytes().get(at + 3..).and_then(escape).is_some())
}

/// Whether percent-decoding gives UTF-8; an overlong form is none.
pub(super) fn decodes_to_utf8(path: &str) -> bool {
    let mut bytes = percent_decode_str(path);
    while let Some(first) = bytes.next() {
        // What a well-formed character takes by its first byte; the rest is for the standard library to judge.
        let length = match first {
            0x00..=0x7f => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return false,
        };
        let mut character = [first, 0, 0, 0];
        for place in character.iter_mut().take(length).skip(1) {
            // A missing byte stays zero, which continues no character.
            *place = bytes.next().unwrap_or_default();
        }
        if character
            .get(..length)
            .is_none_or(|character| str::from_utf8(character).is_err())
        {
            return false;
        }
    }
    true
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
