//! Texts that only a gateway with the secret can have written, and that nobody else can read: AES-256-GCM with a key for each text,
//! derived by HKDF-SHA-256 (RFC 5869), so that there is no limit to how many are written.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const SALT_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// Seals and opens.
pub struct Seal {
    secrets: Vec<Vec<u8>>,
    /// What sealed texts are for, besides their purpose.
    scope: Vec<u8>,
}

struct KeyBytes;

impl KeyType for KeyBytes {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl Seal {
    /// Seals with the first of these secrets, and opens with any.
    #[must_use]
    pub fn new(secrets: &[String], scope: &[&str]) -> Self {
        let mut bytes = b"gatewright oidc-login 2".to_vec();
        for part in scope {
            // No two scopes are the same bytes.
            bytes.push(0);
            bytes.extend_from_slice(part.as_bytes());
        }
        Self {
            secrets: secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect(),
            scope: bytes,
        }
    }

    /// The text in base64url; none when the system has no random numbers.
    #[must_use]
    pub fn seal(&self, purpose: &str, text: &[u8]) -> Option<String> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).ok()?;
        let key = self.key(self.secrets.first()?, &salt, purpose)?;
        let mut sealed = text.to_vec();
        key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut sealed).ok()?;
        let mut whole = salt.to_vec();
        whole.append(&mut sealed);
        Some(URL_SAFE_NO_PAD.encode(whole))
    }

    /// The text, if it was sealed for the same purpose with a secret that is known.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (salt, sealed) = whole.split_at_checked(SALT_BYTES)?;
        self.secrets.iter().find_map(|secret| {
            let key = self.key(secret, salt, purpose)?;
            let mut text = sealed.to_vec();
            let length = key.open_in_place(nonce(), Aad::empty(), &mut text).ok()?.len();
            text.truncate(length);
            Some(text)
        })
    }

    fn key(&self, secret: &[u8], salt: &[u8], purpose: &str) -> Option<LessSafeKey> {
        let info = [&*self.scope, &[0], purpose.as_bytes()];
        let derived = Salt::new(HKDF_SHA256, salt).extract(secret);
        let derived = derived.expand(&info, KeyBytes).ok()?;
        let mut key = [0; KEY_BYTES];
        derived.fill(&mut key).ok()?;
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?))
    }
}

/// Each key is used once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secrets: &[&str], scope: &[&str]) -> Seal {
        let secrets: Vec<_> = secrets.iter().map(|&secret| secret.to_owned()).collect();
        Seal::new(&secrets, scope)
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_secret_for_the_same_purpose() {
        let new = seal(&["secret two", "secret one"], &["issuer", "client"]);
        let old = seal(&["secret one"], &["issuer", "client"]);
        let text = old.seal("session", b"text").unwrap();
        assert_eq!(new.open("session", &text).as_deref(), Some(&b"text"[..]));
        assert_ne!(old.seal("session", b"text").unwrap(), text, "no two are the same");
        assert_eq!(old.open("session", &new.seal("session", b"text").unwrap()), None);
        assert_eq!(old.open("login", &text), None);
        assert_eq!(seal(&["secret one"], &["issuer", "other"]).open("session", &text), None);
        assert_eq!(
            seal(&["secret one"], &["issue", "rclient"]).open("session", &text),
            None
        );
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let seal = seal(&["secret"], &[]);
        let text = seal.seal("session", b"text").unwrap();
        for end in 0..text.len() {
            assert_eq!(seal.open("session", &text[..end]), None, "{end}");
        }
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(seal.open("session", &changed), None, "{at}");
        }
    }
}
