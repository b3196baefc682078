//! In which charset a text says that it is written. What is inspected is read as UTF-8; in some other charset the same bytes
//! may be an attack, so a text that names one is refused, wherever it does.

use super::multipart::parameters;

/// Those that agree with UTF-8 about ASCII, of which attacks are made.
const READABLE: [&[u8]; 7] = [
    b"utf-8",
    b"utf8",
    b"us-ascii",
    b"ascii",
    b"iso-8859-1",
    b"iso8859-1",
    b"latin1",
];

/// What is said of the charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// Nothing.
    Unsaid,
    Readable,
    /// Another one, or more than one.
    Unreadable,
}

impl Charset {
    pub(super) fn is_readable(self) -> bool {
        self != Self::Unreadable
    }

    /// By its name.
    pub(super) fn named(name: &[u8]) -> Self {
        let name = name.trim_ascii();
        match READABLE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            true => Self::Readable,
            false => Self::Unreadable,
        }
    }
}

/// By the parameter of a `Content-Type`.
pub(super) fn of_content_type(value: &[u8]) -> Charset {
    let Some(parameters) = parameters(value) else {
        return Charset::Unreadable;
    };
    let mut named = parameters.iter().filter(|(name, _)| name.starts_with(b"charset"));
    match named.next() {
        None => Charset::Unsaid,
        Some((name, value)) if name == b"charset" => Charset::named(value),
        // In pieces or encoded (RFC 2231).
        Some(_) => Charset::Unreadable,
    }
}

/// By the declaration that a document in XML may begin with.
pub(super) fn of_xml(document: &[u8]) -> Charset {
    let document = document
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(document)
        .trim_ascii_start();
    let Some(declaration) = document.strip_prefix(b"<?xml") else {
        return Charset::Unsaid;
    };
    let end = memchr::memchr(b'>', declaration).unwrap_or(declaration.len());
    let declaration = declaration.get(..end).unwrap_or_default();
    let mut found = memchr::memmem::find_iter(declaration, b"encoding");
    let Some(at) = found.next() else {
        return Charset::Unsaid;
    };
    let rest = declaration
        .get(at + b"encoding".len()..)
        .unwrap_or_default()
        .trim_ascii_start();
    let quoted = rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
    let name = match quoted {
        Some([quote @ (b'"' | b'\''), name @ ..]) => memchr::memchr(*quote, name).and_then(|end| name.get(..end)),
        _ => None,
    };
    match name {
        Some(name) if found.next().is_none() => Charset::named(name),
        _ => Charset::Unreadable,
    }
}
