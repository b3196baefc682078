//! The one normal form of a request path, used for routing, authorization, cache keys and the upstream.
//!
//! What two servers could read differently is refused (400) instead of guessed at: the path that was checked is
//! the path that is sent. In a normal path
//! * unreserved characters are plain, and what RFC 3986 does not allow in a segment is percent-encoded, with
//!   upper-case digits; the other reserved characters stay as they came, plain or encoded;
//! * there are no `.` and `..` segments and no `//`; slashes are merged before `..` takes a segment away;
//! * what percent-encoding stands for is UTF-8 without control characters, slashes and backslashes, and is not
//!   percent-encoding again, unless [`Encodings`] say otherwise: then `%2F` and `%25` stay what they are;
//! * a trailing slash is kept, and so are `;parameters`.

mod bytes;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use self::bytes::{
    Class, class, decodes_to_utf8, escape, is_doubly_encoded, is_unreserved, normal_escape, push_escape,
};

/// Brings `raw`, a path without query, to normal form; borrowed when it has this form already.
///
/// # Errors
/// When the path is malformed, or when servers are known to disagree about what it means.
pub fn normalise(raw: &str) -> Result<Cow<'_, str>, PathError> {
    Encodings::default().normalise(raw)
}

/// What becomes of percent-encoding that servers are known to read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encodings {
    /// `%2F`
    pub slash: Encoding,
    /// `%25` and two hexadecimal digits, which stand for percent-encoding.
    pub percent: Encoding,
}

/// What becomes of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// The path is refused.
    #[default]
    Refuse,
    /// It stays as it is.
    Keep,
    /// It is what it stands for. Decoded once, before anything else.
    Decode,
}

impl Encodings {
    /// As far as one of them lets it through, it stays as it is.
    #[must_use]
    pub fn kept(self) -> Self {
        let kept = |encoding| match encoding {
            Encoding::Refuse => Encoding::Refuse,
            Encoding::Keep | Encoding::Decode => Encoding::Keep,
        };
        Self {
            slash: kept(self.slash),
            percent: kept(self.percent),
        }
    }

    /// Lets through what one of both lets through.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let or = |one, other| if one == Encoding::Refuse { other } else { one };
        Self {
            slash: or(self.slash, other.slash),
            percent: or(self.percent, other.percent),
        }
    }

    /// Brings `raw` to normal form, as [`normalise`] does, with these encodings.
    ///
    /// # Errors
    /// As [`normalise`].
    pub fn normalise(self, raw: &str) -> Result<Cow<'_, str>, PathError> {
        if !raw.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        let path = match form(raw) {
            Form::Plain => return Ok(Cow::Borrowed(raw)),
            Form::Escaped => Cow::Borrowed(raw),
            Form::Other => Cow::Owned(self.rewrite(raw)?),
        };
        if decodes_to_utf8(&path) {
            Ok(path)
        } else {
            Err(PathError::InvalidUtf8)
        }
    }

    fn rewrite(self, raw: &str) -> Result<String, PathError> {
        let once = match self.percent {
            Encoding::Decode => decoded(raw, "%25", |after| escape(after).is_some(), "%"),
            Encoding::Refuse | Encoding::Keep => Cow::Borrowed(raw),
        };
        let path = match self.slash {
            Encoding::Decode => decoded(&once, "%2F", |_| true, "/"),
            Encoding::Refuse | Encoding::Keep => once,
        };
        rewrite(&path, self)
    }
}

/// `text` with something else in the place of each `escape`, whatever case it is written in, where what comes after it
/// `is_meant`.
fn decoded<'t>(text: &'t str, escape: &str, is_meant: impl Fn(&[u8]) -> bool, by: &str) -> Cow<'t, str> {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        let is_escape = from
            .get(..escape.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(escape));
        let length = if is_escape { escape.len() } else { 1 };
        let (found, after) = from.split_at(length);
        made.push_str(before);
        made.push_str(if is_escape && is_meant(after.as_bytes()) {
            by
        } else {
            found
        });
        rest = after;
    }
    if made.is_empty() {
        return Cow::Borrowed(text);
    }
    made.push_str(rest);
    Cow::Owned(made)
}

/// Brings a segment of a route's template to the form that it has in normal paths. It may be written as it
/// reads, with spaces and letters of all languages; percent-encoding in it is left as it is.
pub fn normal_segment(literal: &str) -> Result<String, PathError> {
    const NOT_AS_WRITTEN: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'/').add(b'?').add(b'\\');
    let mut segment = String::with_capacity(literal.len());
    let encoded = utf8_percent_encode(literal, NOT_AS_WRITTEN).to_string();
    push_segment(&mut segment, &encoded, Encodings::default())?;
    if decodes_to_utf8(&segment) {
        Ok(segment)
    } else {
        Err(PathError::InvalidUtf8)
    }
}

/// What is known of a path after one look at it.
enum Form {
    /// Normal.
    Plain,
    /// Normal, if what its percent-encoding stands for is UTF-8.
    Escaped,
    /// To be rewritten, or refused.
    Other,
}

fn form(raw: &str) -> Form {
    let mut form = Form::Plain;
    let mut rest = raw.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = match class(*byte) {
            Class::Plain => tail,
            Class::Slash if tail.starts_with(b"/") || is_dot_segment(tail) => return Form::Other,
            Class::Slash => tail,
            Class::Percent => match normal_escape(tail) {
                Some(tail) => {
                    form = Form::Escaped;
                    tail
                }
                None => return Form::Other,
            },
            Class::Encoded | Class::Backslash | Class::Refused => return Form::Other,
        };
    }
    form
}

fn rewrite(raw: &str, encodings: Encodings) -> Result<String, PathError> {
    let mut path = String::with_capacity(raw.len() + 8);
    path.push('/');
    // The path ends with a slash before each segment, so that empty segments and `.` need nothing done.
    let mut segments = raw.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" | "." => {}
            ".." => pop_segment(&mut path)?,
            _ => {
                push_segment(&mut path, segment, encodings)?;
                if segments.peek().is_some() {
                    path.push('/');
                }
            }
        }
    }
    Ok(path)
}

/// Takes the last segment away, so that `path` ends with the slash before it.
fn pop_segment(path: &mut String) -> Result<(), PathError> {
    path.pop();
    match path.rfind('/') {
        Some(slash) => path.truncate(slash + 1),
        None => return Err(PathError::AboveRoot),
    }
    Ok(())
}

/// Adds `segment` in normal form.
fn push_segment(path: &mut String, segment: &str, encodings: Encodings) -> Result<(), PathError> {
    let start = path.len();
    let mut rest = segment.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match class(*byte) {
            Class::Plain | Class::Slash => path.push(char::from(*byte)),
            Class::Encoded => push_escape(path, *byte),
            Class::Percent => {
                let (value, tail) = escape(tail).ok_or(PathError::InvalidPercentEncoding)?;
                push_decoded(path, value, encodings)?;
                rest = tail;
            }
            Class::Backslash => return Err(PathError::Backslash),
            Class::Refused => return Err(PathError::InvalidCharacter),
        }
    }
    check_segment(path.get(start..).unwrap_or_default(), encodings)
}

/// Adds what an escape stands for: plain when it need not be an escape, and encoded when it must.
fn push_decoded(path: &mut String, value: u8, encodings: Encodings) -> Result<(), PathError> {
    match value {
        _ if is_unreserved(value) => path.push(char::from(value)),
        b'/' if encodings.slash == Encoding::Refuse => return Err(PathError::EncodedSlash),
        b'\\' => return Err(PathError::EncodedBackslash),
        _ if value.is_ascii_control() => return Err(PathError::EncodedControl),
        _ => push_escape(path, value),
    }
    Ok(())
}

/// Refuses what only shows once a segment has its normal form.
fn check_segment(segment: &str, encodings: Encodings) -> Result<(), PathError> {
    if matches!(segment, "." | "..") {
        return Err(PathError::EncodedDotSegment);
    }
    // Where encoded slashes are kept, somebody behind may take what is between them for segments.
    for part in segment.split("%2F").skip(usize::from(!segment.contains("%2F"))) {
        if matches!(part, "." | "..") {
            return Err(PathError::EncodedDotSegment);
        }
        if is_dot_segment(part.as_bytes()) {
            return Err(PathError::DotSegmentParameters);
        }
    }
    if is_dot_segment(segment.as_bytes()) {
        return Err(PathError::DotSegmentParameters);
    }
    match is_doubly_encoded(segment) && encodings.percent != Encoding::Keep {
        true => Err(PathError::DoubleEncoding),
        false => Ok(()),
    }
}

/// Whether `text` begins with a segment that is `.` or `..`, or is so for servers that take `;parameters` off
/// first; some take `%3B` for `;`.
fn is_dot_segment(text: &[u8]) -> bool {
    let after = match text {
        [b'.', b'.', after @ ..] | [b'.', after @ ..] => after,
        _ => return false,
    };
    matches!(after, [] | [b'/' | b';', ..] | [b'%', b'3', b'B', ..])
}

/// Why a path is refused; the text is fit for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No `/` at the beginning.
    NotAbsolute,
    /// A control character, a space, `?`, `#` or a character outside of ASCII.
    InvalidCharacter,
    /// `\`, which some servers read as `/`.
    Backslash,
    /// `%` without two hexadecimal digits.
    InvalidPercentEncoding,
    /// `%25` and two hexadecimal digits: to be decoded twice.
    DoubleEncoding,
    /// `%00` to `%1F`, or `%7F`.
    EncodedControl,
    /// `%2F`
    EncodedSlash,
    /// `%5C`
    EncodedBackslash,
    /// `.` or `..` with a percent-encoded dot.
    EncodedDotSegment,
    /// `.` or `..` before a `;`.
    DotSegmentParameters,
    /// `..` where there is nothing to go up from.
    AboveRoot,
    /// Percent-encoded bytes that are not UTF-8, or are an overlong form of it.
    InvalidUtf8,
}

impl fmt::Display for PathError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            PathError::NotAbsolute => "the path does not begin with a slash",
            PathError::InvalidCharacter => "the path contains a character that must be percent-encoded",
            PathError::Backslash => "the path contains a backslash",
            PathError::InvalidPercentEncoding => "the path contains an incomplete percent-encoding",
            PathError::DoubleEncoding => "the path is percent-encoded twice",
            PathError::EncodedControl => "the path contains a percent-encoded control character",
            PathError::EncodedSlash => "the path contains a percent-encoded slash",
            PathError::EncodedBackslash => "the path contains a percent-encoded backslash",
            PathError::EncodedDotSegment => "the path contains a percent-encoded dot segment",
            PathError::DotSegmentParameters => "the path contains a dot segment with parameters",
            PathError::AboveRoot => "the path leads above the root",
            PathError::InvalidUtf8 => "the path is not UTF-8 when percent-decoded",
        })
    }
}

impl std::error::Error for PathError {}
