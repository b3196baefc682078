//! Header blocks with and without fragments in their paths, however they are written and cut.

use super::*;

/// A text as it is.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len()).unwrap()];
    bytes.extend(text.bytes());
    bytes
}

/// A text in Huffman's code.
fn huffman(octets: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | u8::try_from(octets.len()).unwrap()];
    bytes.extend(octets);
    bytes
}

/// Whether the last of these blocks has a fragment, however they are cut.
fn judged(blocks: &[Vec<u8>]) -> Result<bool, Malformed> {
    let judge = |size: usize| {
        let mut looking = Blocks::new();
        let mut last = Ok(false);
        for block in blocks {
            last = block
                .chunks(size)
                .try_for_each(|piece| looking.scan(piece))
                .and_then(|()| looking.end());
        }
        last
    };
    let judged = [1, 2, 3, 7, 4096].map(judge);
    assert!(judged.iter().all(|one| *one == judged[0]), "{judged:?}");
    judged[0]
}

/// `/a#b` in Huffman's code: 011000 00011 111111111010 100011, and ones.
const PATH_WITH_FRAGMENT: [u8; 4] = [0b0110_0000, 0b0111_1111, 0b1111_0101, 0b0001_1111];

#[test]
fn a_fragment_in_a_path_is_found_however_the_field_is_written() {
    for (name, written) in [
        ("static name", vec![0x04]),
        ("the other static name", vec![0x05]),
        ("never indexed", vec![0x14]),
        ("indexed", vec![0x44]),
        ("name as text", [&[0x00][..], &text(":path")].concat()),
        ("name as text, indexed", [&[0x40][..], &text(":path")].concat()),
        (
            "name in Huffman's code",
            [&[0x00][..], &huffman(&PATH_IN_HUFFMAN)].concat(),
        ),
        ("long number", vec![0x0f, 0x80, 0x00]),
    ] {
        // The last one is entry 15, `accept-charset`.
        let is_path = name != "long number";
        for value in [text("/a#b"), text("#"), text("/a?b#"), huffman(&PATH_WITH_FRAGMENT)] {
            let block = [written.clone(), value].concat();
            assert_eq!(judged(std::slice::from_ref(&block)), Ok(is_path), "{name}: {block:x?}");
            assert_eq!(
                judged(&[block, vec![0x84]]),
                Ok(false),
                "{name}: the next block has none"
            );
        }
        for value in [text("/a"), text(""), text("/%23?x"), huffman(&[0x60, 0x7f])] {
            let block = [written.clone(), value].concat();
            assert_eq!(judged(std::slice::from_ref(&block)), Ok(false), "{name}: {block:x?}");
        }
    }
}

#[test]
fn a_fragment_elsewhere_is_none_of_the_paths() {
    for name in ["x-page", ":paths", ":pat", "path", ":scheme"] {
        let block = [&[0x40][..], &text(name), &text("/a#b"), &[0x04], &text("/a")].concat();
        assert_eq!(judged(&[block]), Ok(false), "{name}");
    }
    let referer = [&[0x73][..], &text("http://a/#b"), &[0xbe]].concat();
    assert_eq!(judged(&[referer]), Ok(false));
}

#[test]
fn an_entry_of_the_dynamic_table_is_what_it_was_when_it_was_written() {
    let path = |value: &str| [&[0x44][..], &text(value)].concat();
    let other = [&[0x40][..], &text("x-other"), &text("1")].concat();
    // Entry 62 is the newest one.
    assert_eq!(judged(&[path("/a#b"), vec![0xbe]]), Ok(true));
    assert_eq!(judged(&[path("/a#b"), other.clone(), vec![0xbf]]), Ok(true));
    assert_eq!(judged(&[path("/a#b"), other.clone(), vec![0xbe]]), Ok(false));
    let named = |index: u8| [&[0x0f, index - 15][..], &text("/c#d")].concat();
    assert_eq!(
        judged(&[path("/a"), named(62)]),
        Ok(true),
        "a path by a name of the table"
    );
    assert_eq!(judged(&[path("/a"), other.clone(), named(62)]), Ok(false));
    assert_eq!(judged(&[path("/a"), other.clone(), named(63)]), Ok(true));
    assert_eq!(judged(&[other, named(63)]), Err(Malformed), "there is no such entry");
}

#[test]
fn entries_leave_the_dynamic_table_when_it_is_full_or_made_smaller() {
    // A path of 42 octets, and fields of 40.
    let path = [&[0x44][..], &text("/a#bc")].concat();
    let field = |_| [&[0x40][..], &text("abcd"), &text("efgh")].concat();
    let kept = (TABLE_BYTES - 42) / 40;
    let fill = |count: usize| [vec![path.clone()], (0..count).map(field).collect()].concat();
    let reference = |index: usize| {
        let rest = index - 127;
        vec![0xff, 0x80 | (rest & 0x7f) as u8, (rest >> 7) as u8]
    };
    let after = |count: usize| judged(&[fill(count), vec![reference(62 + count)]].concat());
    assert_eq!(after(kept), Ok(true));
    assert_eq!(after(kept + 1), Ok(false), "it has left");
    let smaller = |bytes: u8| judged(&[path.clone(), [vec![0x3f, bytes - 31], vec![0xbe]].concat()]);
    assert_eq!(smaller(42), Ok(true));
    assert_eq!(smaller(41), Ok(false));
    let huge = [
        &[0x40, 1, b'a', 0x7f, 0x80 | 0x01, 0x20][..],
        &[b'b'; 127 + 1 + (0x20 << 7)],
    ]
    .concat();
    assert_eq!(
        judged(&[path.clone(), huge, vec![0xbe]]),
        Ok(false),
        "it has thrown all out"
    );
    assert_eq!(judged(&[vec![0x3f, 0xe2, 0x1f]]), Err(Malformed), "4 097 octets");
}

#[test]
fn texts_are_as_long_as_what_they_are_decoded_to() {
    let measured = |octets: &[u8]| {
        let mut text = Text {
            huffman: true,
            left: octets.len(),
            ..Text::default()
        };
        let field = Field {
            indexed: true,
            ..Field::default()
        };
        text.read(octets, field);
        text.bytes
    };
    // RFC 7541, appendix C.4 and C.6.
    assert_eq!(
        measured(&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]),
        "www.example.com".len()
    );
    assert_eq!(measured(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]), "no-cache".len());
    let date = [
        0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0, 0x82,
        0xa6, 0x2d, 0x1b, 0xff,
    ];
    assert_eq!(measured(&date), "Mon, 21 Oct 2013 20:13:21 GMT".len());
    // Each code takes its share, and all of them take all.
    let (mut end, mut bits, mut count) = (0, 0, 0);
    for (after, length) in CODES {
        let first = end << (length - bits);
        assert!(first < after, "{length}");
        count += after - first;
        (end, bits) = (after, length);
    }
    assert_eq!((end, count), (1 << 30, 257), "256 octets and the end");
}

#[test]
fn what_cannot_be_read_is_malformed() {
    for block in [
        vec![0x04],
        vec![0x04, 0x03, b'/'],
        vec![0xff],
        vec![0xff, 0x80, 0x80, 0x80, 0x80, 0x00],
    ] {
        assert_eq!(judged(std::slice::from_ref(&block)), Err(Malformed), "{block:x?}");
    }
}
