//! Which paths are taken, in which form, and which are refused and why (C7).

use std::borrow::Cow;

use super::{Encoding, Encodings, PathError, normal_segment, normalise};

#[test]
fn paths_have_one_form() {
    let cases = [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//", "/"),
        ("///a//b//", "/a/b/"),
        ("/./", "/"),
        ("/.", "/"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/../admin", "/admin"),
        ("/a//../b", "/b"),
        ("/a/b/../../c/./d/..", "/c/"),
        ("/...", "/..."),
        ("/.a/a./a..b/..c", "/.a/a./a..b/..c"),
        ("/%61%7E%2D%5f", "/a~-_"),
        ("/a%2eb", "/a.b"),
        ("/%2e%2e%2e", "/..."),
        ("/%c3%a9", "/%C3%A9"),
        ("/%E2%82%AC/%F0%9F%98%80", "/%E2%82%AC/%F0%9F%98%80"),
        ("/a%20b%2b%3A", "/a%20b%2B%3A"),
        ("/100%25", "/100%25"),
        ("/100%25x%25", "/100%25x%25"),
        ("/a;v=1/b;w;x=..", "/a;v=1/b;w;x=.."),
        ("/;x", "/;x"),
        ("/..a;x", "/..a;x"),
        ("/.well-known/acme", "/.well-known/acme"),
        ("/..%20/.%3A", "/..%20/.%3A"),
        ("/!$&'()*+,=:@", "/!$&'()*+,=:@"),
        ("/{a}|[b]^`<c>\"", "/%7Ba%7D%7C%5Bb%5D%5E%60%3Cc%3E%22"),
        ("/%7ba%7D", "/%7Ba%7D"),
    ];
    for (raw, path) in cases {
        assert_eq!(normalise(raw).as_deref(), Ok(path), "{raw}");
        assert!(
            matches!(normalise(path), Ok(Cow::Borrowed(again)) if again == path),
            "{path} is copied"
        );
    }
}

#[test]
fn c7_ambiguous_paths_are_refused() {
    use PathError::*;
    let cases = [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("http://h/", NotAbsolute),
        ("/a b", InvalidCharacter),
        ("/a\0", InvalidCharacter),
        ("/a\t", InvalidCharacter),
        ("/a\u{7f}", InvalidCharacter),
        ("/a\r\n", InvalidCharacter),
        ("/a?b", InvalidCharacter),
        ("/a#b", InvalidCharacter),
        ("/caf\u{e9}", InvalidCharacter),
        ("/\u{ff0f}", InvalidCharacter),
        ("/a\\b", Backslash),
        ("/..\\a", Backslash),
        ("/%", InvalidPercentEncoding),
        ("/%2", InvalidPercentEncoding),
        ("/%2/a", InvalidPercentEncoding),
        ("/%g0", InvalidPercentEncoding),
        ("/%u002f", InvalidPercentEncoding),
        ("/%%32%66", InvalidPercentEncoding),
        ("/%00", EncodedControl),
        ("/a%0d%0aX", EncodedControl),
        ("/%1F", EncodedControl),
        ("/%7f", EncodedControl),
        ("/a%2fb", EncodedSlash),
        ("/..%2Fa", EncodedSlash),
        ("/a%5cb", EncodedBackslash),
        ("/..%5C", EncodedBackslash),
        ("/a/%2e%2e/", EncodedDotSegment),
        ("/a/.%2E", EncodedDotSegment),
        ("/a/%2e./b", EncodedDotSegment),
        ("/%2e", EncodedDotSegment),
        ("/a/..;/b", DotSegmentParameters),
        ("/a/.;x=1", DotSegmentParameters),
        ("/a/%2e%2e;x", DotSegmentParameters),
        ("/a/..%3bx", DotSegmentParameters),
        ("/..", AboveRoot),
        ("/../a", AboveRoot),
        ("//..", AboveRoot),
        ("/a/../..", AboveRoot),
        ("/./../a", AboveRoot),
        ("/%252e%252e/", DoubleEncoding),
        ("/%252f", DoubleEncoding),
        ("/%2541", DoubleEncoding),
        ("/%25%34%31", DoubleEncoding),
        ("/%2500", DoubleEncoding),
        ("/50%25ab", DoubleEncoding),
        ("/%80", InvalidUtf8),
        ("/%ff", InvalidUtf8),
        ("/%C3", InvalidUtf8),
        ("/%C3/%A9", InvalidUtf8),
        ("/%C3a", InvalidUtf8),
        ("/%C0%AF", InvalidUtf8),
        ("/%c0%ae%c0%ae/", InvalidUtf8),
        ("/%E0%80%AF", InvalidUtf8),
        ("/%F0%80%80%AF", InvalidUtf8),
        ("/%ED%A0%80", InvalidUtf8),
        ("/%F4%90%80%80", InvalidUtf8),
    ];
    for (raw, error) in cases {
        assert_eq!(normalise(raw), Err(error), "{raw:?}");
    }
}

#[test]
fn a_normal_path_is_stable_and_holds_nothing_that_is_refused() {
    const PIECES: &[&str] = &[
        "/",
        "/",
        "//",
        ".",
        "..",
        "a",
        "B7",
        ";",
        "=",
        "%",
        "%2",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "%25",
        "%32",
        "%46",
        "%41",
        "%00",
        "%7f",
        "%c3",
        "%A9",
        "%C0",
        "%AF",
        "%e2%82%ac",
        "%3b",
        "%20",
        "\\",
        "{",
        "|",
        "%7b",
        "~",
        " ",
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut taken = 0;
    for _ in 0..200_000 {
        let mut raw = String::from("/");
        for _ in 0..random % 12 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            raw.push_str(PIECES[(random >> 20) as usize % PIECES.len()]);
        }
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        if let Ok(path) = normalise(&raw) {
            taken += 1;
            assert_normal(&path, &raw);
        }
    }
    assert!(
        taken > 10_000,
        "only {taken} paths were taken: the test has become weak"
    );
}

fn assert_normal(path: &str, raw: &str) {
    assert!(
        matches!(normalise(path), Ok(Cow::Borrowed(again)) if again == path),
        "{raw}: {path} is not stable"
    );
    assert!(
        path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()),
        "{raw}: {path}"
    );
    assert!(
        !path.contains(['\\', '{', '|', '?', '#', ' ']) && !path.contains("//"),
        "{raw}: {path}"
    );
    for segment in path.split('/') {
        let name = segment.split(';').next().unwrap();
        assert!(!matches!(name, "." | ".."), "{raw}: {path}");
    }
    for (at, _) in path.match_indices('%') {
        let digits = &path[at + 1..at + 3];
        assert!(
            digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')),
            "{raw}: {path}"
        );
        assert!(
            !matches!(digits, "2F" | "5C" | "2E" | "41" | "7F") && digits >= "20",
            "{raw}: {path}"
        );
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    let decoded = decoded.unwrap_or_else(|_| panic!("{raw}: {path} is not UTF-8"));
    assert!(
        !decoded.contains(|character: char| character.is_ascii_control() || character == '\\'),
        "{raw}: {path}"
    );
    assert_eq!(decoded.matches('/').count(), path.matches('/').count(), "{raw}: {path}");
}

#[test]
fn a_template_is_written_as_it_reads() {
    assert_eq!(normal_segment("caf\u{e9} {x}").as_deref(), Ok("caf%C3%A9%20%7Bx%7D"));
    assert_eq!(normal_segment("%63af%c3%a9").as_deref(), Ok("caf%C3%A9"));
    assert_eq!(normal_segment(""), Ok(String::new()));
    assert_eq!(normal_segment("a/b"), Err(PathError::EncodedSlash));
    assert_eq!(normal_segment(".."), Err(PathError::EncodedDotSegment));
    assert_eq!(normal_segment("100%"), Err(PathError::InvalidPercentEncoding));
}

#[test]
fn encodings_that_are_let_through_stay_or_are_decoded_once_and_never_make_dot_segments() {
    use Encoding::{Decode, Keep, Refuse};
    let read = |slash, percent, path: &str| Encodings { slash, percent }.normalise(path).map(Cow::into_owned);
    for (slash, percent, path, expected) in [
        (Keep, Refuse, "/a%2fb", "/a%2Fb"),
        (Keep, Refuse, "/a%2F%61", "/a%2Fa"),
        (Decode, Refuse, "/a%2fb%2F/c", "/a/b/c"),
        (Refuse, Keep, "/a%2541", "/a%2541"),
        (Refuse, Decode, "/a%2541%25", "/aA%25"),
        (Keep, Decode, "/a%252fb", "/a%2Fb"),
        (Decode, Decode, "/a%252fb", "/a/b"),
        (Keep, Keep, "/a%252fb%2Fc", "/a%252fb%2Fc"),
    ] {
        let normal = read(slash, percent, path).unwrap();
        assert_eq!(normal, expected, "{path}");
        assert_eq!(read(slash, percent, &normal).unwrap(), expected, "{path}: once more");
    }
    for (slash, percent, path, error) in [
        (Keep, Refuse, "/a%2F..%2Fb", PathError::EncodedDotSegment),
        (Keep, Refuse, "/.%2Fb", PathError::EncodedDotSegment),
        (Keep, Refuse, "/a%2F..;x", PathError::DotSegmentParameters),
        (Keep, Refuse, "/a%252Fb", PathError::DoubleEncoding),
        (Decode, Refuse, "/..%2F..%2Fb", PathError::AboveRoot),
        (Refuse, Decode, "/a%252Fb", PathError::EncodedSlash),
        (Refuse, Decode, "/a%252541", PathError::DoubleEncoding),
        (Keep, Keep, "/a%5Cb", PathError::EncodedBackslash),
    ] {
        assert_eq!(read(slash, percent, path), Err(error), "{path}");
    }
}
