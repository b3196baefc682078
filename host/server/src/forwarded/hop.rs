//! One hop of a request's way, as `X-Forwarded-For` and `Forwarded` (RFC 7239) write it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// What one element of `Forwarded` says of the hop before the proxy that added it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Hop<'f> {
    /// `for`; none where the element has none.
    pub(super) node: Option<Cow<'f, str>>,
    /// `proto`.
    pub(super) proto: Option<Cow<'f, str>>,
    /// `host`.
    pub(super) host: Option<Cow<'f, str>>,
}

impl Hop<'_> {
    /// Stands for elements that cannot be told apart.
    pub(super) fn unreadable() -> Self {
        Self {
            node: Some(Cow::Borrowed("unknown")),
            ..Self::default()
        }
    }
}

/// Reads a node: `192.0.2.7`, `192.0.2.7:49152`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:49152`.
///
/// None for anything else: `unknown`, an obfuscated name (`_gazonk`), a host name, a port that is none.
pub(super) fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim_matches([' ', '\t']);
    let (address, port) = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (address, after) = bracketed.split_once(']')?;
            let port = match after.strip_prefix(':') {
                None if after.is_empty() => None,
                port => Some(port?),
            };
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), port)
        }
        None => match node.split_once(':') {
            Some((address, port)) if !port.contains(':') => (IpAddr::V4(address.parse().ok()?), Some(port)),
            _ => (node.parse().ok()?, None),
        },
    };
    port.is_none_or(is_port).then(|| address.to_canonical())
}

/// A port, or one in disguise: `_` and letters (RFC 7239, section 6.2).
fn is_port(port: &str) -> bool {
    match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    }
}

/// The elements of one `Forwarded` field in their order (RFC 7239, section 4).
///
/// Values without quotation marks may have any visible characters that do not end them: `for=192.0.2.7:80` needs
/// quotation marks, is often written without, and cannot be mistaken.
///
/// None where it cannot be read: where its elements begin is then anybody's guess.
pub(super) fn elements(field: &str) -> Option<Vec<Hop<'_>>> {
    let mut hops = vec![Hop::default()];
    let mut rest = trim_start(field);
    loop {
        let hop = hops.last_mut()?;
        if !rest.is_empty() && !rest.starts_with([',', ';']) {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            let known = match name.to_ascii_lowercase().as_str() {
                "for" => Some(&mut hop.node),
                "proto" => Some(&mut hop.proto),
                "host" => Some(&mut hop.host),
                name if name.is_empty() || !name.bytes().all(is_token) => return None,
                _ => None,
            };
            // A parameter that is there twice says two things.
            if known.is_some_and(|known| known.replace(value).is_some()) {
                return None;
            }
            rest = trim_start(after);
        }
        match rest.split_at_checked(1) {
            None => return Some(hops),
            Some((";", after)) => rest = trim_start(after),
            Some((",", after)) => {
                rest = trim_start(after);
                hops.push(Hop::default());
            }
            Some(_) => return None,
        }
    }
}

/// A token or a quoted text, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        let is_plain = !value.is_empty() && !value.contains(['"', '\\', '=']);
        return is_plain.then_some((Cow::Borrowed(value), rest));
    };
    let mut unquoted = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(unquoted), quoted.get(index + 1..)?)),
            '\\' => unquoted.push(characters.next()?.1),
            other => unquoted.push(other),
        }
    }
    None
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_port_and_brackets() {
        for (node, read) in [
            ("192.0.2.7", "192.0.2.7"),
            (" 192.0.2.7\t", "192.0.2.7"),
            ("198.51.100.7:49152", "198.51.100.7"),
            ("192.0.2.7:_secret", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:51008", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ] {
            assert_eq!(address(node), Some(read.parse().unwrap()), "{node}");
        }
    }

    #[test]
    fn whatever_is_not_exactly_an_address_is_unreadable() {
        for node in [
            "",
            " ",
            "unknown",
            "_gazonk",
            "unix:",
            "localhost",
            "192.0.2",
            "192.0.2.7:",
            "192.0.2.7:x",
            "192.0.2.7:65536",
            "192.0.2.7:+80",
            "192.0.2.7:80:80",
            "192.0.2.7 10.0.0.1",
            "010.0.0.1",
            "2001:db8::7:51008",
            "[192.0.2.7]",
            "[2001:db8::7",
            "2001:db8::7]",
            "[2001:db8::7]:",
            "[2001:db8::7]x",
            "[2001:db8::7]80",
            "fe80::1%eth0",
            "\"192.0.2.7\"",
            "192.0.2.0/24",
            "0x7f.1",
            "192.0.2.7:_",
        ] {
            assert_eq!(address(node), None, "{node}");
        }
    }

    fn nodes(field: &str) -> Option<Vec<Option<String>>> {
        let hops = elements(field)?;
        Some(hops.into_iter().map(|hop| hop.node.map(Cow::into_owned)).collect())
    }

    #[test]
    fn elements_end_at_commas_outside_of_quotation_marks() {
        let some = |texts: &[&str]| Some(texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
        for (field, read) in [
            ("for=192.0.2.7", some(&["192.0.2.7"])),
            (
                "For=\"[2001:db8::7]:4711\";proto=https, fOR=10.0.0.2:80",
                some(&["[2001:db8::7]:4711", "10.0.0.2:80"]),
            ),
            ("for=unknown,for=_gazonk", some(&["unknown", "_gazonk"])),
            (
                "by=203.0.113.43;secret=\"a,for=10.1.1.1;\";for=192.0.2.7",
                some(&["192.0.2.7"]),
            ),
            ("for=\"192.0.2.7, for=10.1.1.1\"", some(&["192.0.2.7, for=10.1.1.1"])),
            ("for=\"a\\\"b\\\\c\"", some(&["a\"b\\c"])),
            (" for=a ; proto=http ,\tfor=b", some(&["a", "b"])),
            ("proto=https, for=b", Some(vec![None, Some("b".to_owned())])),
            (
                "for=a, , for=b;",
                Some(vec![Some("a".to_owned()), None, Some("b".to_owned())]),
            ),
            ("", Some(vec![None])),
        ] {
            assert_eq!(nodes(field), read, "{field}");
        }
    }

    #[test]
    fn a_field_that_breaks_the_grammar_is_unreadable_as_a_whole() {
        for field in [
            "for=\"192.0.2.7",
            "for",
            "for=",
            "=a",
            "for=a;for=b",
            "for = a",
            "for=a b",
            "for=\"a\"b",
            "for=a\"b\"",
            "fo r=a",
            "for=a;proto",
            "for=a=b",
            "for=\"a\\",
        ] {
            assert_eq!(nodes(field), None, "{field}");
        }
    }

    #[test]
    fn scheme_and_host_are_read_with_the_hop() {
        let hops = elements("for=a;Host=\"api.example:8443\";proto=https").unwrap();
        assert_eq!(hops[0].host.as_deref(), Some("api.example:8443"));
        assert_eq!(hops[0].proto.as_deref(), Some("https"));
    }
}
