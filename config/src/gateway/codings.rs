//! What the stages mean that compress and decompress.

use std::fmt;

use serde::Serialize;

use crate::file::{CompressCoding, CompressLevel};
use crate::units::ByteSize;

/// `{ use = "compress", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompressConfig {
    /// Codings that are offered, the best first; at least one.
    pub codings: Vec<CompressCoding>,
    /// Bodies that are shorter stay as they are.
    pub minimum_bytes: ByteSize,
    /// Content types that are compressed.
    pub types: Vec<TypePattern>,
    /// What for.
    pub level: CompressLevel,
}

/// Content types, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TypePattern {
    /// This one.
    Exact(String),
    /// `text/*` as `text/`.
    Prefix(String),
    /// `*+json` as `+json`.
    Suffix(String),
}

impl TypePattern {
    /// Reads `text/html`, `text/*` or `*+json`, without parameters and in any case; none when it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let plain = |text: &str| {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !text.is_empty() && text.bytes().all(valid)
        };
        match text.split_once('/') {
            Some((kind, "*")) if plain(kind) => Some(Self::Prefix(format!("{kind}/"))),
            Some((kind, name)) if plain(kind) && plain(name) => Some(Self::Exact(text.clone())),
            None => text
                .strip_prefix('*')
                .filter(|suffix| suffix.starts_with('+') && plain(suffix))
                .map(|suffix| Self::Suffix(suffix.to_owned())),
            Some(_) => None,
        }
    }

    /// Whether a content type, in lower case and without parameters, is one of these.
    #[must_use]
    pub fn matches(&self, essence: &str) -> bool {
        match self {
            Self::Exact(exact) => essence == exact,
            Self::Prefix(prefix) => essence.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => essence.ends_with(suffix.as_str()),
        }
    }
}

impl fmt::Display for TypePattern {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// `{ use = "decompress", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecompressConfig {
    /// Bodies of requests are decoded.
    pub request: bool,
    /// Bodies of responses are.
    pub response: bool,
    /// The most that a body may become.
    pub body_bytes: ByteSize,
    /// How many times longer it may become.
    pub ratio: u32,
}
