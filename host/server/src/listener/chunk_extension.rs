//! What may stand behind a chunk's size (RFC 9112, section 7.1.1): `*( BWS ";" BWS name [ BWS "=" BWS value ] )`.
//!
//! Nobody uses extensions, and the gateway drops them. An extension that two servers could read differently is refused all
//! the same: one that takes an octet in it for the end of the line finds another chunk behind it.

/// Whether these bytes, which follow a chunk's size on its line, are extensions or nothing.
pub(super) fn is_chunk_extension(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match extension(bytes) {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
    true
}

/// What follows the first extension.
fn extension(bytes: &[u8]) -> Option<&[u8]> {
    let name = blank(blank(bytes).strip_prefix(b";")?);
    let rest = token(name)?;
    match blank(rest).strip_prefix(b"=") {
        Some(value) => value_of(blank(value)),
        None => Some(rest),
    }
}

fn value_of(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.strip_prefix(b"\"") {
        Some(quoted) => after_quote(quoted),
        None => token(bytes),
    }
}

/// What follows a quoted string whose opening quote has been read (RFC 9110, section 5.6.4).
fn after_quote(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
            [b'\t' | b' '..=b'[' | b']'..=b'~' | 0x80.., rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// What follows a token; none where there is no token.
fn token(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take_while(|byte| is_token(**byte)).count();
    (length > 0).then(|| bytes.get(length..).unwrap_or_default())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn blank(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_names_with_or_without_a_value() {
        for good in [
            "",
            ";a",
            ";a=b",
            " ; a = b;c",
            ";a=\"b c\\\" \t d\";e",
            ";a=\"\u{e9}\"",
            ";a=\"\"",
        ] {
            assert!(is_chunk_extension(good.as_bytes()), "{good:?}");
        }
    }

    #[test]
    fn control_octets_and_what_is_no_extension_are_refused() {
        let odd = [
            " ",
            " x",
            ";",
            "; ",
            ";;a",
            ";a ",
            ";a=",
            ";a=\"b",
            ";a=\"b\"c",
            "a",
            "=b",
            ";a b",
            ";\u{e9}",
        ];
        for bad in odd {
            assert!(!is_chunk_extension(bad.as_bytes()), "{bad:?}");
        }
        for control in (0..=31u8).chain([127]) {
            let bare = [b";a".as_slice(), &[control], b"b"].concat();
            assert!(!is_chunk_extension(&bare), "{control}");
            let quoted = [b";a=\"".as_slice(), &[control], b"\""].concat();
            assert_eq!(is_chunk_extension(&quoted), control == b'\t', "{control}");
            let escaped = [b";a=\"\\".as_slice(), &[control], b"\""].concat();
            assert_eq!(is_chunk_extension(&escaped), control == b'\t', "{control}");
        }
    }
}
