//! What libinjection says of the texts of one request.
//!
//! Nothing else costs as much. The stage and rules in SecLang ask about the same texts: those in which there was nothing
//! are known again by their hash, whose key is random, so that no client can make two alike.

use std::hash::{BuildHasher as _, RandomState};

/// Hashes that are kept.
const MOST_KEPT: usize = 256;

/// Texts that have no shape of an injection into SQL.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    hasher: Option<RandomState>,
    without: Vec<u64>,
}

impl Shapes {
    /// Where texts are asked about again.
    pub(super) fn remembering() -> Self {
        Self {
            hasher: Some(RandomState::new()),
            without: Vec::new(),
        }
    }

    /// The shape of an injection into SQL, as libinjection calls it.
    pub(super) fn of(&mut self, text: &[u8]) -> Option<String> {
        let shape = shape(text);
        if let Some(hasher) = self.hasher.as_ref().filter(|_| shape.is_none())
            && self.without.len() < MOST_KEPT
        {
            self.without.push(hasher.hash_one(text));
        }
        shape
    }

    /// The same, of a text that may be known.
    pub(super) fn again(&self, text: &[u8]) -> Option<String> {
        let hash = self.hasher.as_ref().map(|hasher| hasher.hash_one(text));
        match hash.is_some_and(|hash| self.without.contains(&hash)) {
            true => None,
            false => shape(text),
        }
    }
}

fn shape(text: &[u8]) -> Option<String> {
    let sql = libinjectionrs::detect_sqli(text);
    let is_injection = sql.is_injection();
    Some(sql.fingerprint.filter(|_| is_injection)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_asked_about_again_is_answered_as_before() {
        for mut shapes in [Shapes::default(), Shapes::remembering()] {
            for text in ["1' or '1'='1", "harmless (at least; so far)", "it isn't"] {
                let shape = shapes.of(text.as_bytes());
                assert_eq!(shapes.again(text.as_bytes()), shape, "{text}");
            }
            assert!(shapes.again(b"1' or '1'='1").is_some());
            assert_eq!(shapes.again(b"never seen"), None);
            assert!(shapes.again(b"x' or 'a'='a").is_some());
        }
    }
}
