//! Which hosts are taken, in which form, and which are refused and why.

use std::borrow::Cow;

use super::{Authority, HostError, parse_authority};

fn read(raw: &str) -> Result<(String, Option<u16>), HostError> {
    parse_authority(raw.as_bytes()).map(|Authority { host, port }| (host.into_owned(), port))
}

#[test]
fn hosts_have_one_form() {
    let cases = [
        ("example.com", "example.com", None),
        ("EXAMPLE.Com:8080", "example.com", Some(8080)),
        ("example.com.", "example.com", None),
        ("example.com.:443", "example.com", Some(443)),
        ("localhost", "localhost", None),
        ("my_service-1", "my_service-1", None),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]", "[::1]", None),
        ("[0:0:0:0:0:0:0:1]:65535", "[::1]", Some(65535)),
        ("[2001:DB8::A]:80", "[2001:db8::a]", Some(80)),
    ];
    for (raw, host, port) in cases {
        assert_eq!(read(raw), Ok((host.to_owned(), port)), "{raw}");
    }
}

#[test]
fn c4_odd_hosts_are_refused() {
    let cases = [
        ("", HostError::Empty),
        (".", HostError::Empty),
        (":80", HostError::Empty),
        ("a,b", HostError::List),
        ("a.com, b.com", HostError::List),
        ("user@h", HostError::UserInformation),
        ("user:password@h:80", HostError::UserInformation),
        ("h/path", HostError::Path),
        ("h\\path", HostError::Path),
        ("h?query", HostError::Path),
        ("http://h", HostError::Path),
        (" h", HostError::InvalidCharacter),
        ("h ", HostError::InvalidCharacter),
        ("h\t", HostError::InvalidCharacter),
        ("h\0", HostError::InvalidCharacter),
        ("h%41", HostError::InvalidCharacter),
        ("*.example.com", HostError::InvalidCharacter),
        ("b\u{fc}cher.example", HostError::InvalidCharacter),
        ("a]b", HostError::InvalidCharacter),
        ("a..b", HostError::EmptyLabel),
        (".a", HostError::EmptyLabel),
        ("a..", HostError::EmptyLabel),
        ("h:", HostError::Port),
        ("h:0", HostError::Port),
        ("h:+80", HostError::InvalidCharacter),
        ("h:-1", HostError::Port),
        ("h:80a", HostError::Port),
        ("h:65536", HostError::Port),
        ("h:1:2", HostError::Port),
        ("::1", HostError::Port),
        ("[::1", HostError::Address),
        ("[]", HostError::Address),
        ("[::1]80", HostError::Address),
        ("[::1]]", HostError::Address),
        ("[1.2.3.4]", HostError::Address),
        ("[::g]", HostError::Address),
        ("[fe80::1%25eth0]", HostError::InvalidCharacter),
        ("[v1.x]", HostError::Address),
        ("[::1]:", HostError::Port),
    ];
    for (raw, error) in cases {
        assert_eq!(read(raw), Err(error), "{raw:?}");
    }
    assert_eq!(parse_authority(b"\xff"), Err(HostError::InvalidCharacter));
    assert_eq!(read(&"a".repeat(256)), Err(HostError::TooLong));
}

#[test]
fn a_lower_case_host_is_borrowed() {
    for raw in ["example.com", "example.com:80", "example.com."] {
        assert!(
            matches!(parse_authority(raw.as_bytes()).unwrap().host, Cow::Borrowed(_)),
            "{raw}"
        );
    }
}
