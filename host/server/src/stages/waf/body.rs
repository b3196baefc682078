//! The body of a request, by its content type. Types that are no text are not looked into.

use bytes::Bytes;
use gatewright_config::{WafLarger, WafPart, WafRule};
use gatewright_seclang::List;
use http::header::{self, HeaderMap};

use super::charset::{self, Charset};
use super::inspection::{Inspection, split_at};
use super::{json, multipart, xml};
use crate::codings::Coded;

/// What there is of a body, as sent.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// It is all.
    pub(super) complete: bool,
    pub(super) coded: Coded,
}

/// How a body is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Form,
    Json,
    /// JSON texts one after another, a line each.
    JsonLines,
    /// With its boundary, if it names one.
    Multipart(Option<String>),
    Text,
    Xml,
    /// It says nothing about itself.
    Unsaid,
    /// It is text that cannot be read: a charset that is not ASCII's, two of them, or two content types.
    Unreadable,
}

impl Kind {
    /// What `Content-Type` says; none for what is not inspected.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else {
            return Some(Self::Unsaid);
        };
        if values.next().is_some() {
            return Some(Self::Unreadable);
        }
        let essence = split_at(value.as_bytes(), b';').0.trim_ascii().to_ascii_lowercase();
        let parameters = multipart::parameters(value.as_bytes());
        let boundary = || {
            let mut parameters = parameters.iter().flatten();
            let (_, value) = parameters.find(|(name, _)| name == b"boundary")?;
            String::from_utf8(value.clone()).ok()
        };
        let kind = match std::str::from_utf8(&essence).unwrap_or_default() {
            "" => Self::Unsaid,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/x-ndjson" | "application/jsonl" | "application/json-seq" => Self::JsonLines,
            "application/json" | "text/json" => Self::Json,
            "application/xml" | "text/xml" => Self::Xml,
            "application/graphql" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            other if other.starts_with("multipart/") => Self::Multipart(boundary()),
            other if other.starts_with("text/") => Self::Text,
            _ => return None,
        };
        match charset::of_content_type(value.as_bytes()) {
            Charset::Unreadable => Some(Self::Unreadable),
            Charset::Readable | Charset::Unsaid => Some(kind),
        }
    }
}

/// Inspects a body, or the start of one.
pub(super) fn inspect(inspection: &mut Inspection<'_>, kind: &Kind, piece: Piece) {
    let config = inspection.config();
    let refuses = config.larger == WafLarger::Refuse;
    let limit = usize::try_from(config.body_bytes.0).unwrap_or(usize::MAX);
    if !piece.complete && refuses {
        inspection.found(WafRule::BodySize, WafPart::Body, b"");
    }
    let was_complete = piece.complete;
    let (bytes, complete) = match piece.decoded(limit) {
        Ok(decoded) => decoded,
        Err(rule) => return inspection.found(rule, WafPart::Body, b""),
    };
    if was_complete && !complete && refuses {
        inspection.found(WafRule::BodySize, WafPart::Body, b"");
    }
    if inspection.is_over() {
        return;
    }
    let processor = match kind {
        Kind::Form => "URLENCODED",
        Kind::Json | Kind::JsonLines => "JSON",
        Kind::Xml => "XML",
        Kind::Multipart(_) => "MULTIPART",
        Kind::Text | Kind::Unsaid | Kind::Unreadable => "",
    };
    inspection.tell(List::BodyProcessor, b"", processor.as_bytes());
    // Rules look at files of forms by name only.
    if !matches!(kind, Kind::Multipart(_)) {
        inspection.tell(List::Body, b"", &bytes);
    }
    match kind {
        Kind::Form => inspection.urlencoded(WafPart::Body, &bytes),
        Kind::Json => json::inspect(inspection, &bytes, complete),
        Kind::JsonLines => {
            let mut lines = bytes
                .split(|byte| matches!(byte, b'\n' | 0x1e))
                .filter(|line| !line.is_empty())
                .peekable();
            while let Some(line) = lines.next() {
                json::inspect(inspection, line, complete || lines.peek().is_some());
            }
        }
        Kind::Multipart(boundary) => multipart::inspect(inspection, boundary.as_deref(), &bytes, complete),
        Kind::Text => text(inspection, &bytes),
        Kind::Xml => xml::inspect(inspection, &bytes, complete),
        Kind::Unsaid if looks_like_json(&bytes) => json::inspect(inspection, &bytes, complete),
        Kind::Unsaid => text(inspection, &bytes),
        Kind::Unreadable => inspection.found(WafRule::BodyEncoding, WafPart::Body, b""),
    }
}

/// Text that may be XML all the same.
fn text(inspection: &mut Inspection<'_>, text: &[u8]) {
    if !charset::of_xml(text).is_readable() {
        inspection.found(WafRule::BodyEncoding, WafPart::Body, b"");
    }
    inspection.text(WafPart::Body, b"", text);
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start(), [b'{' | b'[', ..])
}
