//! What services answer to plugins, one call after the other: the same words in files of cases and in recordings.

use serde::{Deserialize, Serialize};

/// An answer of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceAnswer {
    /// It is done, and there is no more to say.
    Done,
    /// There is no such value; of a cache: the call is to compute it. Of `kv.compare-and-set`: somebody else was faster.
    Absent,
    /// There was no answer before the call was over.
    Never,
    /// What was counted, a revision, or nanoseconds.
    Number(i64),
    /// What is left in a token bucket.
    Bucket(BucketAnswer),
    /// A secret, a cached value, random bytes.
    Value(Content),
    /// What is in a key-value store.
    Entry(EntryAnswer),
    /// What came back for a request.
    Response(ResponseAnswer),
    /// An error, by its name in the plugin interface.
    Error(ErrorAnswer),
}

/// A token bucket, as `counters.take` leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketAnswer {
    /// Whether the tokens were taken.
    pub allowed: bool,
    /// Whole tokens left.
    pub remaining: u32,
    /// When there will be enough, in milliseconds.
    pub retry_after_ms: u32,
}

/// An entry of a key-value store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryAnswer {
    /// Its revision.
    pub revision: i64,
    /// What is in it.
    pub value: Content,
}

/// A response to a request of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseAnswer {
    /// Status.
    pub status: u16,
    /// Header fields.
    #[serde(default)]
    pub fields: Vec<(String, String)>,
    /// Body.
    #[serde(default)]
    pub body: Content,
}

/// An error of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswer {
    /// Its name in the plugin interface.
    pub name: String,
    /// What it says besides.
    #[serde(default)]
    pub text: String,
}

/// Bytes: as text, in hexadecimal digits, or as many stars as there were bytes. Nothing of it: none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Content {
    /// As text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// As hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// It is not said what: so many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<u32>,
    /// There was more than is said here: so many bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<u64>,
}

/// Most bytes that are made up for what is redacted.
const MADE_UP: u32 = 16 << 20;

impl Content {
    /// Bytes as they are: text if they are any.
    pub fn shown(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        match std::str::from_utf8(bytes) {
            Ok("") => {}
            Ok(text) => content.text = Some(text.to_owned()),
            Err(_) => content.hex = Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
        content
    }

    /// Only how many bytes there are.
    pub fn redacted(bytes: usize) -> Self {
        Self {
            redacted: Some(u32::try_from(bytes).unwrap_or(u32::MAX)),
            ..Self::default()
        }
    }

    /// The bytes; stars for what is redacted. None when it is not said in one way, or not in digits.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.text, &self.hex, self.redacted) {
            (None, None, None) => Some(Vec::new()),
            (Some(text), None, None) => Some(text.clone().into_bytes()),
            (None, Some(hex), None) => digits(hex),
            (None, None, Some(length)) if length <= MADE_UP => Some(vec![b'*'; usize::try_from(length).ok()?]),
            _ => None,
        }
    }
}

fn digits(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(pair).collect())?
}

impl ServiceAnswer {
    /// What it has of bytes.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Value(value) => Some(value),
            Self::Entry(entry) => Some(&entry.value),
            Self::Response(response) => Some(&response.body),
            Self::Done | Self::Absent | Self::Never | Self::Number(_) | Self::Bucket(_) | Self::Error(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_or_as_so_many_stars() {
        for bytes in [&b""[..], b"text", b"\xff\x00"] {
            assert_eq!(Content::shown(bytes).bytes().unwrap(), bytes);
        }
        assert_eq!(Content::redacted(3).bytes().unwrap(), b"***");
        assert_eq!(Content::redacted(usize::MAX).bytes(), None);
        let of = |hex: &str| Content {
            hex: Some(hex.to_owned()),
            ..Content::default()
        };
        assert_eq!(of("0g").bytes(), None);
        assert_eq!(of("0").bytes(), None);
    }

    #[test]
    fn answers_are_written_as_short_as_they_are() {
        let json = |answer: &ServiceAnswer| serde_json::to_string(answer).unwrap();
        assert_eq!(json(&ServiceAnswer::Absent), r#""absent""#);
        let value = ServiceAnswer::Value(Content::shown(b"a"));
        assert_eq!(json(&value), r#"{"value":{"text":"a"}}"#);
        assert_eq!(serde_json::from_str::<ServiceAnswer>(&json(&value)).unwrap(), value);
    }
}
