//! Text that a browser keeps, as few bytes: tokens without their base64, and the whole deflated (RFC 1951). A session of a person
//! in a hundred groups fits into one cookie that way.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Longest text that is unpacked, in bytes. Only sealed text gets here, so this bounds a defect and not an attack.
const LONGEST: u64 = 1 << 20;

/// The text, deflated; none when it is longer than what is unpacked again.
#[must_use]
pub fn pack(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() as u64 >= LONGEST {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

/// The text that was packed.
#[must_use]
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    DeflateDecoder::new(packed).take(LONGEST).read_to_end(&mut text).ok()?;
    Some(text)
}

/// A token as serde writes it: header and payload of a JSON Web Token as the JSON that they are, which deflates well. Base64
/// does not: it spreads what repeats over all letters.
pub mod token {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{joined, parts};

    /// As parts.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(token: &str, serializer: S) -> Result<S::Ok, S::Error> {
        parts(token).serialize(serializer)
    }

    /// The token that the parts are of.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Vec::<String>::deserialize(deserializer).map(joined)
    }
}

/// A token that may be absent, as [`token`] writes it.
pub mod optional_token {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{joined, parts};

    /// As parts.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(token: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        token.as_deref().map(parts).serialize(serializer)
    }

    /// The token that the parts are of.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<Vec<String>>::deserialize(deserializer)?.map(joined))
    }
}

/// Header, payload and signature where both texts come back as they were; otherwise the token alone.
fn parts(token: &str) -> Vec<String> {
    if let [header, payload, signature] = *token.split('.').collect::<Vec<_>>()
        && let (Some(header), Some(payload)) = (decoded(header), decoded(payload))
    {
        return vec![header, payload, signature.to_owned()];
    }
    vec![token.to_owned()]
}

fn joined(parts: Vec<String>) -> String {
    match <[String; 3]>::try_from(parts) {
        Ok([header, payload, signature]) => format!(
            "{}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        ),
        Err(parts) => parts.into_iter().next().unwrap_or_default(),
    }
}

/// The text that is the only one to be written as `encoded`.
fn decoded(encoded: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
    (URL_SAFE_NO_PAD.encode(&text) == encoded).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_to_the_letter_whatever_it_is() {
        for token in [
            "",
            "opaque",
            "a.b",
            "a.b.c.d",
            "e30.e30.AA",
            "e30.e31.AA",
            "e30.!.AA",
            "e30.e30=.AA",
            "e30..",
            "..",
            "e30.gA.x",
        ] {
            assert_eq!(joined(parts(token)), token);
        }
    }

    #[test]
    fn text_that_repeats_itself_gets_short_and_comes_back() {
        let text = b"{\"groups\":[\"abc\",\"abc\"]}".repeat(100);
        let packed = pack(&text).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(unpack(&packed).as_deref(), Some(&text[..]));
        assert_eq!(unpack(b"\xff\xff"), None);
        assert_eq!(pack(&vec![0; LONGEST as usize]), None);
    }
}
