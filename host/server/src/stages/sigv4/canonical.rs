//! A request in the one form that both sides sign ("Create a canonical request", AWS General Reference).

use std::borrow::Cow;

use gatewright_core::Problem;
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::query;
use super::refusal::invalid;

/// What is not percent-encoded (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a service signs paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathRule {
    /// What is percent-encoded in the path as sent is so once more.
    pub(super) twice: bool,
    /// Dot segments and empty ones are taken out.
    pub(super) normal: bool,
}

/// What a canonical request is made of.
pub(super) struct CanonicalRequest<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authority: &'a [u8],
    pub(super) headers: &'a HeaderMap,
    /// Names of header fields, in their order.
    pub(super) signed: &'a [String],
    /// The body's SHA-256, or what stands for it.
    pub(super) payload: &'a str,
    pub(super) rule: PathRule,
}

impl PathRule {
    /// In S3 a path names an object, and `a//b` is another than `a/b`.
    pub(super) fn of_service(service: &str) -> Self {
        let s3 = matches!(service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express");
        Self {
            twice: !s3,
            normal: !s3,
        }
    }

    /// Whether a presigned URL leaves the body out unless it says otherwise.
    pub(super) fn is_s3(self) -> bool {
        !self.twice
    }

    /// Whether the resource that the service finds at `signed` is the one at `forwarded`, which is in the gateway's normal form.
    pub(super) fn names_the_same(self, signed: &str, forwarded: &str) -> bool {
        signed == forwarded || percent_decode_str(&self.segments(signed).join("/")).eq(percent_decode_str(forwarded))
    }

    fn segments(self, path: &str) -> Vec<&str> {
        match self.normal {
            true => normal_segments(path),
            false => path.split('/').collect(),
        }
    }

    fn apply(self, path: &str) -> String {
        let encoded = self.segments(path).into_iter().map(|segment| match self.twice {
            true => percent_encode(segment.as_bytes(), RESERVED).to_string(),
            // A signer may have left more of it as it is than AWS does.
            false => percent_encode(&Cow::from(percent_decode_str(segment)), RESERVED).to_string(),
        });
        let path = encoded.collect::<Vec<_>>().join("/");
        if path.is_empty() { "/".to_owned() } else { path }
    }
}

fn normal_segments(path: &str) -> Vec<&str> {
    let mut segments = vec![""];
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.len() > 1 => {
                segments.pop();
            }
            ".." => {}
            segment => segments.push(segment),
        }
    }
    if segments.len() == 1 || path.ends_with('/') {
        segments.push("");
    }
    segments
}

impl CanonicalRequest<'_> {
    /// The text that is hashed and signed.
    ///
    /// # Errors
    /// When a field that is signed is not there.
    pub(super) fn text(&self) -> Result<Vec<u8>, Problem> {
        let mut text = Vec::with_capacity(512);
        for line in [self.method, &self.rule.apply(self.path), &self.canonical_query()] {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        for name in self.signed {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            self.value(name, &mut text)?;
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(self.signed.join(";").as_bytes());
        text.push(b'\n');
        text.extend_from_slice(self.payload.as_bytes());
        Ok(text)
    }

    fn canonical_query(&self) -> String {
        if self.query.is_empty() {
            return String::new();
        }
        let pairs = query::pairs(self.query).filter(|(name, _)| **name != *query::SIGNATURE.as_bytes());
        let encoded = |text: &[u8]| percent_encode(text, RESERVED).to_string();
        let mut pairs: Vec<_> = pairs.map(|(name, value)| (encoded(&name), encoded(&value))).collect();
        pairs.sort_unstable();
        let pairs = pairs.into_iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn value(&self, name: &str, text: &mut Vec<u8>) -> Result<(), Problem> {
        if name == "host" {
            folded(self.authority, text);
            return Ok(());
        }
        let mut values = self.headers.get_all(name).iter().peekable();
        if values.peek().is_none() {
            return Err(invalid(format!("The field '{name}' is signed, and did not arrive")));
        }
        while let Some(value) = values.next() {
            folded(value.as_bytes(), text);
            if values.peek().is_some() {
                text.push(b',');
            }
        }
        Ok(())
    }
}

/// Without white space around it, and with one space where there are several.
fn folded(value: &[u8], text: &mut Vec<u8>) {
    let mut space = false;
    for byte in value.trim_ascii() {
        let is_space = *byte == b' ';
        if !(is_space && space) {
            text.push(*byte);
        }
        space = is_space;
    }
}
