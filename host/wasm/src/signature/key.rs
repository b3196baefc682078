//! Private keys, in the form of OpenSSH's files. Those with a passphrase are left to `ssh-keygen`.

use std::fmt;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use gatewright_config::PublicKey;

use super::wire::{Reader, put, put_number};
use super::{NAMESPACE, armour};

const LABEL: &str = "OPENSSH PRIVATE KEY";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const KIND: &[u8] = b"ssh-ed25519";
const SEED_BYTES: usize = 32;
/// What is padded without a cipher.
const BLOCK_BYTES: usize = 8;

/// An Ed25519 key that signs.
pub struct SecretKey {
    seed: [u8; SEED_BYTES],
    pair: Ed25519KeyPair,
}

/// Why a key cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file is none.
    #[error("it is not a private key as `gatewright plugin keygen` and `ssh-keygen -t ed25519` write it")]
    NotAKey,
    /// Of another kind.
    #[error("it is not an Ed25519 key; make one with `gatewright plugin keygen` or `ssh-keygen -t ed25519`")]
    Kind,
    /// Locked.
    #[error("it has a passphrase; sign with `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`, which asks for it")]
    Passphrase,
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

impl SecretKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; SEED_BYTES];
        rand::fill(&mut seed)?;
        Self::from_seed(seed)
    }

    /// Reads a private key file.
    ///
    /// # Errors
    /// When it is none, or one that cannot be used here.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let blob = armour::open(text, LABEL).ok_or(KeyError::NotAKey)?;
        read(&blob)?
    }

    /// Who verifies its signatures needs this.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(key)
    }

    /// The text of its file. Not encrypted: it is for whoever may read the file.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn text(&self, comment: &str) -> Result<String, KeyError> {
        let public = self.public();
        let mut check = [0; 4];
        rand::fill(&mut check)?;
        let mut inner = [check, check].concat();
        put(&mut inner, KIND);
        put(&mut inner, &public.0);
        put(&mut inner, &[self.seed, public.0].concat());
        put(&mut inner, comment.as_bytes());
        for pad in 1.. {
            if inner.len() % BLOCK_BYTES == 0 {
                break;
            }
            inner.push(pad);
        }
        let mut blob = MAGIC.to_vec();
        put(&mut blob, b"none");
        put(&mut blob, b"none");
        put(&mut blob, b"");
        put_number(&mut blob, 1);
        put(&mut blob, &public.blob());
        put(&mut blob, &inner);
        Ok(armour::close(&blob, LABEL))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    fn from_seed(seed: [u8; SEED_BYTES]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::NotAKey)?;
        Ok(Self { seed, pair })
    }
}

/// Fails at what is cut, and inside at what is no key for us.
fn read(blob: &[u8]) -> Result<Result<SecretKey, KeyError>, KeyError> {
    let found = || {
        let mut reader = Reader(blob);
        reader.bytes(MAGIC.len()).filter(|magic| *magic == MAGIC)?;
        let cipher = reader.text()?;
        let _derivation = (reader.text()?, reader.text()?);
        let keys = reader.number()?;
        let public = reader.text()?;
        let mut inner = Reader(reader.text()?);
        if cipher != b"none" {
            return Some(Err(KeyError::Passphrase));
        }
        if keys != 1 || Reader(public).text()? != KIND {
            return Some(Err(KeyError::Kind));
        }
        let _check = inner.bytes(8)?;
        let (_kind, _public, secret) = (inner.text()?, inner.text()?, inner.text()?);
        let key = SecretKey::from_seed(secret.get(..SEED_BYTES)?.try_into().ok()?);
        // A key whose halves do not belong together would sign what nobody can verify.
        let belongs = |key: &SecretKey| key.public().blob() == public;
        Some(key.and_then(|key| belongs(&key).then_some(key).ok_or(KeyError::NotAKey)))
    };
    found().ok_or(KeyError::NotAKey)
}

impl fmt::Debug for SecretKey {
    /// Nothing of what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key for this test only, made by `ssh-keygen -t ed25519`.
    pub(in super::super) const MADE_BY_SSH_KEYGEN: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDM4OejC9zjns4I5gxM0WhoSzG+XTpkfAvGqIaWmxG7tQAAAJiHtPZ0h7T2
dAAAAAtzc2gtZWQyNTUxOQAAACDM4OejC9zjns4I5gxM0WhoSzG+XTpkfAvGqIaWmxG7tQ
AAAEC6bKAghlFWfaDW8gZLYCOBdP4sqaYXaoTyCx36TAKjmszg56ML3OOezgjmDEzRaGhL
Mb5dOmR8C8aohpabEbu1AAAAE3JlbGVhc2VAZXhhbXBsZS5jb20BAg==
-----END OPENSSH PRIVATE KEY-----
";

    #[test]
    fn a_key_of_ssh_keygen_is_read() {
        let key = SecretKey::parse(MADE_BY_SSH_KEYGEN).unwrap();
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzg56ML3OOezgjmDEzRaGhLMb5dOmR8C8aohpabEbu1";
        assert_eq!(key.public().to_string(), line);
        assert!(!format!("{key:?}").contains("186, 108"), "{key:?}");
    }

    #[test]
    fn a_key_that_is_written_is_the_key_that_is_read() {
        let key = SecretKey::generate().unwrap();
        for comment in ["", "a", "release@example.com"] {
            let text = key.text(comment).unwrap();
            assert_eq!(SecretKey::parse(text.as_bytes()).unwrap().public(), key.public());
        }
        assert_ne!(SecretKey::generate().unwrap().public(), key.public());
    }

    #[test]
    fn what_is_no_usable_key_says_what_to_do() {
        let blob = armour::open(MADE_BY_SSH_KEYGEN, LABEL).unwrap();
        let parse = |blob: &[u8]| SecretKey::parse(armour::close(blob, LABEL).as_bytes()).unwrap_err();
        assert_eq!(parse(&blob[..100]), KeyError::NotAKey);
        let mut locked = blob.clone();
        locked[19..23].copy_from_slice(b"aes2");
        assert_eq!(parse(&locked), KeyError::Passphrase);
        let mut torn = blob.clone();
        let secret = blob.windows(3).position(|at| at == [0xba, 0x6c, 0xa0]).unwrap();
        torn[secret] ^= 1;
        assert_eq!(parse(&torn), KeyError::NotAKey);
        assert_eq!(SecretKey::parse(b"ssh-ed25519 AAAA").unwrap_err(), KeyError::NotAKey);
    }
}
