//! Public keys of publishers, in the form of OpenSSH's `.pub` files. Only Ed25519; who verifies with them is elsewhere.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

const KIND: &str = "ssh-ed25519";

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Why a text is not a public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongKey {
    /// Another kind of key, or none.
    #[error("it does not begin with `ssh-ed25519`; other kinds of keys are not used")]
    Kind,
    /// What follows is not what OpenSSH writes.
    #[error("what follows `ssh-ed25519` is not an Ed25519 key")]
    Content,
}

impl PublicKey {
    /// How SSH writes it in binary: the kind and the key, each with its length before.
    pub fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        for part in [KIND.as_bytes(), &self.0] {
            blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            blob.extend_from_slice(part);
        }
        blob
    }

    /// The key that is written so in binary, if it is one.
    pub fn from_blob(blob: &[u8]) -> Option<Self> {
        let key = Self(<[u8; 32]>::try_from(blob.get(blob.len().checked_sub(32)?..)?).ok()?);
        // There is one way to write it.
        (key.blob() == blob).then_some(key)
    }
}

impl FromStr for PublicKey {
    type Err = WrongKey;

    /// Reads a line of a `.pub` file. A comment after the key is ignored.
    fn from_str(line: &str) -> Result<Self, WrongKey> {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some(KIND) {
            return Err(WrongKey::Kind);
        }
        let blob = words.next().and_then(|text| STANDARD.decode(text).ok());
        blob.and_then(|blob| Self::from_blob(&blob)).ok_or(WrongKey::Content)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND} {}", STANDARD.encode(self.blob()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen -t ed25519`.
    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzg56ML3OOezgjmDEzRaGhLMb5dOmR8C8aohpabEbu1";

    #[test]
    fn the_line_of_a_pub_file_is_read_with_its_comment_or_without() {
        let key: PublicKey = format!("{LINE} release@example.com\n").parse().unwrap();
        assert_eq!(key.to_string(), LINE);
        assert_eq!(key.0[..3], [0xcc, 0xe0, 0xe7]);
        assert_eq!(PublicKey::from_blob(&key.blob()), Some(key));
    }

    #[test]
    fn what_is_no_ed25519_key_is_refused() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB";
        for text in ["", "AAAA", ecdsa] {
            assert_eq!(text.parse::<PublicKey>(), Err(WrongKey::Kind), "{text}");
        }
        let (short, renamed) = (&LINE[..LINE.len() - 4], LINE.replace("ZDI1NTE5", "ZDI1NTE4"));
        for text in ["ssh-ed25519", "ssh-ed25519 x", short, &renamed] {
            assert_eq!(text.parse::<PublicKey>(), Err(WrongKey::Content), "{text}");
        }
    }
}
