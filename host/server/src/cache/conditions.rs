//! What of a kept response a request wants: conditional requests and ranges (RFC 9110, sections 13 and 14).
//!
//! Of ranges only one at a time is served, from the bytes that are there: a request for many is answered with the whole, so
//! that no request makes more bytes than the response has.

use std::ops::Range;

use http::header::{self, HeaderMap, HeaderValue};

use super::asked::{Asked, Asks};
use super::freshness::parse_date;
use super::stored::Stored;

/// What a request wants of a kept response with status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// Nothing: it has it.
    NotModified,
    /// These bytes; never none.
    Part(Range<usize>),
    /// Bytes that it has not.
    Nothing,
}

/// What a request wants.
pub(super) fn wanted(stored: &Stored, asks: &Asks, asked: &HeaderMap) -> Wanted {
    if asks.conditional && !is_modified(stored, asked) {
        return Wanted::NotModified;
    }
    // `Range` has no meaning in `HEAD` (RFC 9110, section 14.2).
    if !asks.range || asks.method != Asked::Get {
        return Wanted::Whole;
    }
    match asked.get(header::RANGE) {
        Some(value) if is_for_this(stored, asked) => {
            let several = asked.get_all(header::RANGE).iter().nth(1).is_some();
            if several {
                Wanted::Whole
            } else {
                part(value, stored.body.len())
            }
        }
        _ => Wanted::Whole,
    }
}

/// `If-None-Match`, or else `If-Modified-Since`.
fn is_modified(stored: &Stored, asked: &HeaderMap) -> bool {
    let mut tags = asked.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let known = stored.head.headers.get(header::ETAG);
        return !tags.any(|value| names(value, known));
    }
    let Some(since) = asked.get(header::IF_MODIFIED_SINCE).and_then(parse_date) else {
        return true;
    };
    let made = || stored.head.headers.get(header::DATE).and_then(parse_date);
    let modified = stored.modified().or_else(made);
    modified.is_none_or(|modified| modified > since)
}

/// Whether a list of entity tags has this one, by the weak comparison, or is `*`.
fn names(list: &HeaderValue, known: Option<&HeaderValue>) -> bool {
    let list = list.as_bytes();
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(known) = known.map(|known| opaque(known.as_bytes())) else {
        return false;
    };
    // A comma may be part of a tag.
    let (mut rest, mut found) = (list, false);
    while !found && !rest.is_empty() {
        let (tag, after) = next_tag(rest);
        found = opaque(tag) == known;
        rest = after;
    }
    found
}

/// The first entity tag of a list, and what comes after it.
fn next_tag(list: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let end = list.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    let (tag, rest) = list.split_at(end.unwrap_or(list.len()));
    (tag.trim_ascii(), rest.get(1..).unwrap_or_default())
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether `If-Range`, if there is one, names what is kept.
fn is_for_this(stored: &Stored, asked: &HeaderMap) -> bool {
    let Some(value) = asked.get(header::IF_RANGE) else {
        return true;
    };
    let bytes = value.as_bytes();
    if bytes.starts_with(b"\"") || bytes.starts_with(b"W/") {
        // A weak one says nothing of bytes.
        return bytes.starts_with(b"\"") && stored.head.headers.get(header::ETAG) == Some(value);
    }
    stored.head.headers.get(header::LAST_MODIFIED) == Some(value)
}

/// One range of bytes; the whole where it is anything else.
fn part(value: &HeaderValue, length: usize) -> Wanted {
    let Some((first, last)) = value.to_str().ok().and_then(parse) else {
        return Wanted::Whole;
    };
    let range = match (first, last) {
        (Some(first), Some(last)) if first > last => return Wanted::Whole,
        (Some(first), last) => first..last.map_or(length, |last| last.saturating_add(1)).min(length),
        (None, Some(last)) => length.saturating_sub(last)..length,
        (None, None) => return Wanted::Whole,
    };
    if range.is_empty() {
        Wanted::Nothing
    } else {
        Wanted::Part(range)
    }
}

type Ends = (Option<usize>, Option<usize>);

fn parse(value: &str) -> Option<Ends> {
    let (unit, ends) = value.split_once('=')?;
    let (first, last) = ends.trim().split_once('-')?;
    let end = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        // What is too long for a number is beyond every end.
        is_number.then(|| (!text.is_empty()).then(|| text.parse().unwrap_or(usize::MAX)))
    };
    let ends = (end(first)?, end(last)?);
    unit.eq_ignore_ascii_case("bytes").then_some(ends)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::cache::tests::stored;

    fn wants(fields: &[(&'static str, &'static str)]) -> Wanted {
        let stored = stored(
            &[("etag", "\"a,b\""), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")],
            "0123456789",
        );
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let asks = Asks {
            method: Asked::Get,
            conditional: true,
            range: true,
            ..Asks::default()
        };
        wanted(&stored, &asks, &fields.collect())
    }

    #[test]
    fn one_range_is_cut_to_what_is_there() {
        for (range, part) in [
            ("bytes=0-1", 0..2),
            ("bytes=3-", 3..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("Bytes=8-99999999999999999999999", 8..10),
        ] {
            assert_eq!(wants(&[("range", range)]), Wanted::Part(part), "{range}");
        }
        for range in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(wants(&[("range", range)]), Wanted::Nothing, "{range}");
        }
    }

    #[test]
    fn many_ranges_and_what_is_none_are_answered_with_the_whole() {
        for range in [
            "bytes=0-1,3-4",
            "bytes=0-,0-,0-,0-",
            "bytes=5-1",
            "bytes=-",
            "lines=1-2",
            "bytes=a-b",
            "bytes 1-2",
        ] {
            assert_eq!(wants(&[("range", range)]), Wanted::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_something_else_is_answered_with_the_whole() {
        for known in ["\"a,b\"", "Wed, 01 Jan 2020 00:00:00 GMT"] {
            assert_eq!(
                wants(&[("range", "bytes=0-1"), ("if-range", known)]),
                Wanted::Part(0..2),
                "{known}"
            );
        }
        for other in ["\"b\"", "W/\"a,b\"", "Wed, 01 Jan 2020 00:00:01 GMT", "nonsense"] {
            assert_eq!(
                wants(&[("range", "bytes=0-1"), ("if-range", other)]),
                Wanted::Whole,
                "{other}"
            );
        }
    }

    #[test]
    fn who_names_the_tag_has_it() {
        for tags in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "\"a,b\" , W/\"y\"", "*"] {
            assert_eq!(wants(&[("if-none-match", tags)]), Wanted::NotModified, "{tags}");
        }
        for tags in ["\"a\"", "a,b", "\"a,b", ""] {
            assert_eq!(wants(&[("if-none-match", tags)]), Wanted::Whole, "{tags}");
        }
    }

    #[test]
    fn dates_count_only_where_there_are_no_tags_and_only_if_they_are_dates() {
        let since = |date| wants(&[("if-modified-since", date)]);
        assert_eq!(since("Wed, 01 Jan 2020 00:00:00 GMT"), Wanted::NotModified);
        assert_eq!(since("Wednesday, 01-Jan-20 00:00:00 GMT"), Wanted::NotModified);
        for date in ["Tue, 31 Dec 2019 23:59:59 GMT", "yesterday", "0", ""] {
            assert_eq!(since(date), Wanted::Whole, "{date}");
        }
        let both = [
            ("if-none-match", "\"x\""),
            ("if-modified-since", "Wed, 01 Jan 2020 00:00:00 GMT"),
        ];
        assert_eq!(wants(&both), Wanted::Whole);
    }
}
