//! Transformations of values, by the reference manual of ModSecurity. Each says which bytes it changes at all, so that most
//! values need none.

use crate::operator::ByteSet;

/// `t:name`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transform {
    Base64Decode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    NormalizePath,
    NormalizePathWin,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Trim,
    UrlDecode,
    UrlDecodeUni,
    Uppercase,
    Utf8ToUnicode,
}

impl Transform {
    /// By its name in a rule, `none` left out.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "base64decode" | "base64decodeext" => Self::Base64Decode,
            "cmdline" => Self::CmdLine,
            "compresswhitespace" => Self::CompressWhitespace,
            "cssdecode" => Self::CssDecode,
            "escapeseqdecode" => Self::EscapeSeqDecode,
            "hexdecode" => Self::HexDecode,
            "hexencode" => Self::HexEncode,
            "htmlentitydecode" => Self::HtmlEntityDecode,
            "jsdecode" => Self::JsDecode,
            "length" => Self::Length,
            "lowercase" => Self::Lowercase,
            "normalizepath" | "normalisepath" => Self::NormalizePath,
            "normalizepathwin" | "normalisepathwin" => Self::NormalizePathWin,
            "removecomments" => Self::RemoveComments,
            "removecommentschar" => Self::RemoveCommentsChar,
            "removenulls" => Self::RemoveNulls,
            "removewhitespace" => Self::RemoveWhitespace,
            "replacecomments" => Self::ReplaceComments,
            "replacenulls" => Self::ReplaceNulls,
            "trim" | "trimleft" | "trimright" => Self::Trim,
            "urldecode" => Self::UrlDecode,
            "urldecodeuni" => Self::UrlDecodeUni,
            "uppercase" => Self::Uppercase,
            "utf8tounicode" => Self::Utf8ToUnicode,
            _ => return None,
        })
    }

    /// A value without any of these bytes stays as it is.
    pub(crate) fn changes(self) -> ByteSet {
        let whitespace = b" \t\n\r\x0b\x0c\xa0";
        match self {
            Self::Base64Decode | Self::HexDecode | Self::HexEncode | Self::Length => ByteSet::all(),
            Self::CmdLine => ByteSet::of(b"\\\"'^,;/(\t\n\r\x0b\x0c ").with(b'A'..=b'Z'),
            Self::CompressWhitespace | Self::RemoveWhitespace | Self::Trim => ByteSet::of(whitespace),
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => ByteSet::of(b"\\"),
            Self::HtmlEntityDecode => ByteSet::of(b"&"),
            Self::Lowercase => ByteSet::of(b"").with(b'A'..=b'Z'),
            Self::NormalizePath => ByteSet::of(b"/"),
            Self::NormalizePathWin => ByteSet::of(b"/\\"),
            Self::RemoveComments | Self::RemoveCommentsChar => ByteSet::of(b"/-#<"),
            Self::RemoveNulls | Self::ReplaceNulls => ByteSet::of(b"\0"),
            Self::ReplaceComments => ByteSet::of(b"/"),
            Self::UrlDecode | Self::UrlDecodeUni => ByteSet::of(b"%+"),
            Self::Uppercase => ByteSet::of(b"").with(b'a'..=b'z'),
            Self::Utf8ToUnicode => ByteSet::of(b"").with(0x80..=0xff),
        }
    }

    pub(crate) fn apply(self, value: &[u8]) -> Vec<u8> {
        match self {
            Self::Base64Decode => base64_decode(value),
            Self::CmdLine => cmd_line(value),
            Self::CompressWhitespace => compress_whitespace(value),
            Self::CssDecode => css_decode(value),
            Self::EscapeSeqDecode => escape_sequences(value, false),
            Self::HexDecode => hex_decode(value),
            Self::HexEncode => value
                .iter()
                .flat_map(|byte| format!("{byte:02x}").into_bytes())
                .collect(),
            Self::HtmlEntityDecode => html_entity_decode(value),
            Self::JsDecode => escape_sequences(value, true),
            Self::Length => value.len().to_string().into_bytes(),
            Self::Lowercase => value.to_ascii_lowercase(),
            Self::NormalizePath => normalize_path(value),
            Self::NormalizePathWin => {
                let slashes: Vec<u8> = value
                    .iter()
                    .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
                    .collect();
                normalize_path(&slashes)
            }
            Self::RemoveComments => comments(value, b"", true),
            Self::RemoveCommentsChar => remove_comment_signs(value),
            Self::RemoveNulls => value.iter().copied().filter(|byte| *byte != 0).collect(),
            Self::RemoveWhitespace => value.iter().copied().filter(|byte| !is_space(*byte)).collect(),
            Self::ReplaceComments => comments(value, b" ", false),
            Self::ReplaceNulls => value.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect(),
            Self::Trim => trim(value).to_vec(),
            Self::UrlDecode => url_decode(value, false),
            Self::UrlDecodeUni => url_decode(value, true),
            Self::Uppercase => value.to_ascii_uppercase(),
            Self::Utf8ToUnicode => utf8_to_unicode(value),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0xa0)
}

fn trim(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|byte| !is_space(*byte)).unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(start, |end| end + 1);
    value.get(start..end).unwrap_or_default()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The number that these hexadecimal digits are, if all of them are.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, byte| {
        let digit = digit(*byte)?;
        number.checked_mul(16)?.checked_add(u32::from(digit))
    })
}

/// A code of two bytes as one byte: of full width as what it looks like.
fn narrow(code: u32) -> u8 {
    match code {
        0xff01..=0xff5e => u8::try_from(code - 0xfee0).unwrap_or_default(),
        other => u8::try_from(other & 0xff).unwrap_or_default(),
    }
}

fn url_decode(value: &[u8], with_unicode: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [b'u' | b'U', a, b, c, d, behind @ ..]) if with_unicode => match hexadecimal(&[*a, *b, *c, *d]) {
                Some(code) => {
                    decoded.push(narrow(code));
                    rest = behind;
                }
                None => decoded.push(b'%'),
            },
            (b'%', [high, low, behind @ ..]) => match hexadecimal(&[*high, *low]) {
                Some(code) => {
                    decoded.push(narrow(code));
                    rest = behind;
                }
                None => decoded.push(b'%'),
            },
            (other, _) => decoded.push(*other),
        }
    }
    decoded
}

/// References by number, and the names that ModSecurity knows; the `;` may be missing.
fn html_entity_decode(value: &[u8]) -> Vec<u8> {
    const NAMED: [(&[u8], u8); 6] = [
        (b"quot", b'"'),
        (b"amp", b'&'),
        (b"lt", b'<'),
        (b"gt", b'>'),
        (b"nbsp", 0xa0),
        (b"apos", b'\''),
    ];
    /// Of HTML 5, which ModSecurity does not know and browsers do.
    const NAMED_TOO: [(&[u8], u8); 10] = [
        (b"colon;", b':'),
        (b"lpar;", b'('),
        (b"rpar;", b')'),
        (b"tab;", b'\t'),
        (b"newline;", b'\n'),
        (b"semi;", b';'),
        (b"comma;", b','),
        (b"period;", b'.'),
        (b"sol;", b'/'),
        (b"equals;", b'='),
    ];
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'&' {
            decoded.push(*byte);
            continue;
        }
        let found = match after {
            [b'#', b'x' | b'X', digits @ ..] => reference(digits, 16, 2),
            [b'#', digits @ ..] => reference(digits, 10, 1),
            name => {
                let mut known = NAMED.iter().chain(&NAMED_TOO);
                let starts = |known: &[u8]| {
                    name.get(..known.len())
                        .is_some_and(|start| start.eq_ignore_ascii_case(known))
                };
                known
                    .find(|(known, _)| starts(known))
                    .map(|(known, byte)| (*byte, known.len()))
            }
        };
        match found {
            Some((byte, length)) => {
                decoded.push(byte);
                rest = after.get(length..).unwrap_or_default();
                rest = rest.strip_prefix(b";").unwrap_or(rest);
            }
            None => decoded.push(b'&'),
        }
    }
    decoded
}

fn reference(digits: &[u8], radix: u32, prefix: usize) -> Option<(u8, usize)> {
    let length = digits
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    let text = std::str::from_utf8(digits.get(..length)?).ok()?;
    let text = text.trim_start_matches('0');
    let code = match (length, text) {
        (0, _) => return None,
        (_, "") => 0,
        (_, text) => u32::from_str_radix(text, radix).ok()?,
    };
    Some((narrow(code), prefix + length))
}

/// Escapes of JavaScript (`\uHHHH` as well), or of ANSI C.
fn escape_sequences(value: &[u8], is_script: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            decoded.push(*byte);
            continue;
        }
        let (code, length) = match after {
            [b'u', a, b, c, d, ..] if is_script && hexadecimal(&[*a, *b, *c, *d]).is_some() => {
                (hexadecimal(&[*a, *b, *c, *d]).map(narrow), 5)
            }
            [b'x', a, b, ..] if hexadecimal(&[*a, *b]).is_some() => (hexadecimal(&[*a, *b]).map(narrow), 3),
            [b'0'..=b'7', ..] => {
                let length = after
                    .iter()
                    .take(3)
                    .take_while(|byte| matches!(byte, b'0'..=b'7'))
                    .count();
                let digits = after.get(..length).unwrap_or_default();
                let code = digits
                    .iter()
                    .fold(0_u32, |code, byte| code * 8 + u32::from(byte - b'0'));
                (Some(narrow(code)), length)
            }
            [b'a', ..] => (Some(7), 1),
            [b'b', ..] => (Some(8), 1),
            [b'f', ..] => (Some(12), 1),
            [b'n', ..] => (Some(b'\n'), 1),
            [b'r', ..] => (Some(b'\r'), 1),
            [b't', ..] => (Some(b'\t'), 1),
            [b'v', ..] => (Some(11), 1),
            [other, ..] => (Some(*other), 1),
            [] => (Some(b'\\'), 0),
        };
        decoded.extend(code);
        rest = after.get(length..).unwrap_or_default();
    }
    decoded
}

/// Escapes of CSS: up to six digits and one space, or a character.
fn css_decode(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            decoded.push(*byte);
            continue;
        }
        let length = after.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
        match (length, after) {
            (0, [b'\n', behind @ ..]) => rest = behind,
            (0, [other, behind @ ..]) => {
                decoded.push(*other);
                rest = behind;
            }
            (0, []) => {}
            _ => {
                let code = after.get(..length).and_then(hexadecimal).unwrap_or_default();
                decoded.push(narrow(code));
                rest = after.get(length..).unwrap_or_default();
                if rest.first().is_some_and(|byte| is_space(*byte)) {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
    }
    decoded
}

/// A command as a shell may see it: no quotes and escapes, one space between words.
fn cmd_line(value: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(value.len());
    let mut space = false;
    for byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b';' | 0x0b | 0x0c => space = true,
            other => {
                // Spaces before these mean nothing.
                if space && !matches!(other, b'/' | b'(') {
                    line.push(b' ');
                }
                space = false;
                line.push(other.to_ascii_lowercase());
            }
        }
    }
    if space {
        line.push(b' ');
    }
    line
}

fn compress_whitespace(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut space = false;
    for byte in value {
        match is_space(*byte) {
            true if space => {}
            true => text.push(b' '),
            false => text.push(*byte),
        }
        space = is_space(*byte);
    }
    text
}

/// `/a/./b//../c` is `/a/c`; what leads above the beginning stays.
fn normalize_path(value: &[u8]) -> Vec<u8> {
    let is_absolute = value.first() == Some(&b'/');
    let ends = value.last() == Some(&b'/') || value.ends_with(b"/.") || value.ends_with(b"/..");
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in value.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => match segments.last() {
                Some(&last) if last != b".." => {
                    segments.pop();
                }
                _ if is_absolute => {}
                _ => segments.push(segment),
            },
            other => segments.push(other),
        }
    }
    let mut path = Vec::with_capacity(value.len());
    if is_absolute {
        path.push(b'/');
    }
    path.extend(segments.join(&b'/'));
    if ends && !segments.is_empty() {
        path.push(b'/');
    }
    path
}

/// Comments of C are replaced; one without an end too. With `all`, those of SQL, shells and HTML go as well.
fn comments(value: &[u8], by: &[u8], all: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        let end = match rest {
            [b'/', b'*', inner @ ..] => Some(memchr::memmem::find(inner, b"*/").map(|end| end + 4)),
            [b'<', b'!', b'-', b'-', inner @ ..] if all => Some(memchr::memmem::find(inner, b"-->").map(|end| end + 7)),
            [b'-', b'-', ..] | [b'#', ..] if all => Some(None),
            _ => None,
        };
        match end {
            Some(end) => {
                text.extend_from_slice(by);
                rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
            }
            None => {
                text.push(*byte);
                rest = after;
            }
        }
    }
    text
}

fn remove_comment_signs(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = match rest {
            [b'/', b'*', behind @ ..] | [b'*', b'/', behind @ ..] => behind,
            [b'<', b'!', b'-', b'-', behind @ ..] => behind,
            [b'-', b'-', b'>', behind @ ..] => behind,
            [b'-', b'-', behind @ ..] | [b'#', behind @ ..] => behind,
            _ => {
                text.push(*byte);
                after
            }
        };
    }
    text
}

fn utf8_to_unicode(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_ascii() {
                true => text.extend(u8::try_from(character)),
                false => text.extend(format!("%u{:04x}", u32::from(character)).into_bytes()),
            }
        }
        text.extend_from_slice(chunk.invalid());
    }
    text
}

fn hex_decode(value: &[u8]) -> Vec<u8> {
    let pairs = value.chunks_exact(2);
    pairs.filter_map(|pair| hexadecimal(pair).map(narrow)).collect()
}

/// As far as it is base64.
fn base64_decode(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut bits = 0_u32;
    let mut count = 0;
    for byte in value {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(narrow(bits >> count));
            bits &= (1 << count) - 1;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transformation_does_what_its_manual_says() {
        for (name, value, expected) in [
            ("urlDecode", "a%20b+c%3c%zz%", "a b c<%zz%"),
            ("urlDecodeUni", "%u003cscript%uff1e", "<script>"),
            (
                "htmlEntityDecode",
                "&lt;&#60;&#x3C&#0000060;&amp;&unknown;",
                "<<<<&&unknown;",
            ),
            ("jsDecode", r"\u003c\x3c\74\n\q", "<<<\nq"),
            (
                "cssDecode",
                r"j\61 vascript\3a x\
y",
                "javascript:xy",
            ),
            ("removeNulls", "a\0b", "ab"),
            ("removeWhitespace", "a \t\nb", "ab"),
            ("compressWhitespace", "a \t\nb c", "a b c"),
            ("replaceComments", "a/*b*/c/*d", "a c "),
            ("removeComments", "a/*b*/c--d", "ac"),
            ("removeCommentsChar", "un/**/ion--#", "union"),
            ("normalizePath", "/a/./b//../c", "/a/c"),
            ("normalizePath", "../../etc/x/..", "../../etc/"),
            ("normalizePathWin", r"a\..\b", "b"),
            ("cmdLine", "C^a\"t /e'tc',;  x ( y", "cat/etc x( y"),
            ("utf8toUnicode", "a\u{ff1c}", "a%uff1c"),
            ("base64Decode", "PHNjcmlwdD4=", "<script>"),
            ("hexDecode", "3c3e", "<>"),
            ("hexEncode", "<", "3c"),
            ("length", "abc", "3"),
            ("trim", "  a ", "a"),
            ("lowercase", "AbC", "abc"),
            ("escapeSeqDecode", r"\x3c\101\'", "<A'"),
        ] {
            let transformed = Transform::named(name).unwrap().apply(value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&transformed), expected, "{name} {value}");
        }
    }

    #[test]
    fn a_value_without_the_bytes_that_a_transformation_changes_stays_as_it_is() {
        let values: [&[u8]; 12] = [
            b"plain",
            b"A B",
            b"a%41+b",
            b"a\\62",
            b"&lt;",
            b"/a/../b",
            b"--x",
            b"a\0",
            b"\xef\xbc\x9c",
            b" a  b ",
            b"a,b;'\"^(",
            b"x/*y*/#",
        ];
        for name in [
            "cmdline",
            "compresswhitespace",
            "cssdecode",
            "escapeseqdecode",
            "htmlentitydecode",
            "jsdecode",
            "lowercase",
            "normalizepath",
            "normalizepathwin",
            "removecomments",
            "removecommentschar",
            "removenulls",
            "removewhitespace",
            "replacecomments",
            "replacenulls",
            "trim",
            "urldecode",
            "urldecodeuni",
            "uppercase",
            "utf8tounicode",
        ] {
            let transform = Transform::named(name).unwrap();
            for value in values {
                if !ByteSet::of(value).meets(&transform.changes()) {
                    assert_eq!(transform.apply(value), value, "{name}");
                }
            }
        }
    }
}
