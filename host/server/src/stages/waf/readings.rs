//! The ways in which a value may be read behind the gateway: as it is, and decoded again, once and twice.
//!
//! Who decodes again is not known, so every decoding is tried that changes something: of forms (`%3C`, `+` for a space), of
//! addresses (`%3C` alone), of HTML (`&lt;`), of strings in JSON and JavaScript (`\u003c`).

use std::borrow::Cow;

/// How often a value is decoded again.
const LAYERS: usize = 2;
/// Readings of one layer that are decoded further.
const MOST_READINGS: usize = 4;

/// All readings of a value, itself the first.
pub(super) fn of(value: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut readings = vec![Cow::Borrowed(value)];
    let mut layer = 0..1;
    for _ in 0..LAYERS {
        let start = readings.len();
        for at in layer.take(MOST_READINGS) {
            let Some(reading) = readings.get(at) else { break };
            let decoded = [
                percent(reading, true),
                percent(reading, false),
                references(reading),
                escapes(reading),
            ];
            for decoded in decoded.into_iter().flatten() {
                if !readings.iter().any(|known| **known == *decoded) {
                    readings.push(Cow::Owned(decoded));
                }
            }
        }
        layer = start..readings.len();
    }
    readings
}

/// `%3C` and IIS's `%u003C`; in forms `+` too.
fn percent(value: &[u8], is_form: bool) -> Option<Vec<u8>> {
    let first = match is_form {
        true => memchr::memchr2(b'%', b'+', value)?,
        false => memchr::memchr(b'%', value)?,
    };
    let mut decoded = value.get(..first)?.to_vec();
    let mut rest = value.get(first..)?;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' if is_form => decoded.push(b' '),
            b'%' => {
                let (digits, skipped) = match after {
                    [b'u' | b'U', digits @ ..] => (digits.get(..4), 5),
                    digits => (digits.get(..2), 2),
                };
                match digits.and_then(|digits| number(digits, 16)) {
                    Some(code) if skipped == 2 => decoded.push(u8::try_from(code).unwrap_or_default()),
                    Some(code) => push(&mut decoded, code),
                    None => {
                        decoded.push(b'%');
                        continue;
                    }
                }
                rest = after.get(skipped..).unwrap_or_default();
            }
            other => decoded.push(*other),
        }
    }
    (decoded != value).then_some(decoded)
}

/// `\u003c` and `\x3c`.
fn escapes(value: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'\\', value)?;
    let mut decoded = value.get(..first)?.to_vec();
    let mut rest = value.get(first..)?;
    let mut changed = false;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let (digits, skipped) = match (byte, after) {
            (b'\\', [b'u', digits @ ..]) => (digits.get(..4), 5),
            (b'\\', [b'x', digits @ ..]) => (digits.get(..2), 3),
            _ => (None, 0),
        };
        match digits.and_then(|digits| number(digits, 16)) {
            Some(code) => {
                push(&mut decoded, code);
                changed = true;
                rest = after.get(skipped..).unwrap_or_default();
            }
            None => decoded.push(*byte),
        }
    }
    changed.then_some(decoded)
}

/// Character references of HTML: by number, and the names of what attacks are made of. Browsers do not ask for the `;`.
fn references(value: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'&', value)?;
    let mut decoded = value.get(..first)?.to_vec();
    let mut rest = value.get(first..)?;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, reference) = rest.split_at_checked(at)?;
        decoded.extend_from_slice(before);
        let text = reference.get(1..).unwrap_or_default();
        match by_number(text).or_else(|| by_name(text)) {
            Some((code, length)) => {
                push(&mut decoded, code);
                changed = true;
                let rest_at = 1 + length + usize::from(text.get(length) == Some(&b';'));
                rest = reference.get(rest_at..).unwrap_or_default();
            }
            None => {
                decoded.push(b'&');
                rest = text;
            }
        }
    }
    decoded.extend_from_slice(rest);
    changed.then_some(decoded)
}

/// `#60` and `#x3c`, with as many zeros before as one likes; the code and the length.
fn by_number(text: &[u8]) -> Option<(u32, usize)> {
    let (prefix, radix, digits) = match text {
        [b'#', b'x' | b'X', digits @ ..] => (2, 16, digits),
        [b'#', digits @ ..] => (1, 10, digits),
        _ => return None,
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let length = digits.iter().take_while(is_digit).count();
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count().min(length);
    let code = number(digits.get(zeros..length)?, radix)?;
    Some((code, prefix + length))
}

fn by_name(text: &[u8]) -> Option<(u32, usize)> {
    /// Names that are known without `;` too, and those that are not.
    const NAMED: [(&str, char, bool); 24] = [
        ("lt", '<', false),
        ("LT", '<', false),
        ("gt", '>', false),
        ("GT", '>', false),
        ("quot", '"', false),
        ("QUOT", '"', false),
        ("amp", '&', false),
        ("AMP", '&', false),
        ("nbsp", ' ', false),
        ("apos", '\'', true),
        ("colon", ':', true),
        ("comma", ',', true),
        ("equals", '=', true),
        ("excl", '!', true),
        ("grave", '`', true),
        ("lpar", '(', true),
        ("rpar", ')', true),
        ("NewLine", '\n', true),
        ("num", '#', true),
        ("period", '.', true),
        ("semi", ';', true),
        ("sol", '/', true),
        ("Tab", '\t', true),
        ("bsol", '\\', true),
    ];
    let known = |(name, _, ends): &&(&str, char, bool)| {
        text.starts_with(name.as_bytes()) && (!ends || text.get(name.len()) == Some(&b';'))
    };
    let (name, character, _) = NAMED.iter().find(known)?;
    Some((u32::from(*character), name.len()))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.iter().any(|digit| !char::from(*digit).is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// A character; those of full width are taken for what they look like, as databases and IIS do.
fn push(text: &mut Vec<u8>, code: u32) {
    let code = if (0xff01..=0xff5e).contains(&code) {
        code - 0xfee0
    } else {
        code
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(value: &str, meaning: &str) {
        let readings = of(value.as_bytes());
        assert!(
            readings.iter().any(|reading| **reading == *meaning.as_bytes()),
            "{value}"
        );
        assert!(readings.len() <= 1 + 4 + 16, "{value}: {}", readings.len());
    }

    #[test]
    fn a_value_is_read_in_every_way_in_which_somebody_behind_may_decode_it_once_and_twice() {
        for value in [
            "<a b",
            "<a+b",
            "%3Ca+b",
            "%3ca%20b",
            "%253Ca%2520b",
            "%253Ca%2Bb",
            "%u003ca+b",
            "%uff1ca+b",
            "&lt;a b",
            "&lta b",
            "&LT;a&nbsp;b",
            "&#60;a b",
            "&#0000000000060a&#32;b",
            "%26lt%3Ba+b",
            "&amp;lt;a b",
            "\\u003ca b",
            "\\x3ca+b",
            "%5Cu003ca+b",
        ] {
            reads(value, "<a b");
        }
        reads("1+1", "1+1");
        reads("100%", "100%");
        reads("%zz%3C", "%zz<");
        reads("a&b", "a&b");
    }

    #[test]
    fn what_decodes_to_itself_is_read_once() {
        assert_eq!(of(b"plain text").len(), 1);
        assert_eq!(of(b"50% & more").len(), 1);
        assert_eq!(of(br"C:\temp").len(), 1);
    }
}
