//! The keys of an issuer (RFC 7517, section 5), and the tokens that they have verified already.

use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use gatewright_config::Algorithm;
use moka::sync::Cache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claims::{self, Claims};
use super::json;
use super::jwk::Key;
use super::jws::Jws;

/// Keys of one issuer.
const MOST_KEYS: usize = 128;
/// Keys of which a message says why none can be used.
const MOST_REASONS: usize = 8;
/// Bytes of tokens that are remembered, about.
const REMEMBERED_BYTES: u64 = 16 << 20;
/// What a remembered token costs besides its claims, about.
const TOKEN_BYTES: usize = 512;

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// The SHA-256 of these bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Keys, parsed once. It never changes: other keys are another set, which remembers no token.
pub struct KeySet {
    /// Of what it was read from.
    pub digest: Digest,
    keys: Vec<Key>,
    left_out: Vec<String>,
    verified: Cache<Digest, Arc<Verified>>,
}

/// A token that one of the keys has verified.
#[derive(Debug)]
pub struct Verified {
    /// What it was signed with.
    pub algorithm: Algorithm,
    /// What it says.
    pub claims: Arc<Claims>,
    bytes: usize,
}

/// Why a token is not verified.
#[derive(Debug)]
pub enum Unverified {
    /// It is none of this issuer's.
    Invalid(&'static str),
    /// It names a key that is not there. Its issuer may have a new one.
    UnknownKey,
}

impl From<&'static str> for Unverified {
    fn from(reason: &'static str) -> Self {
        Self::Invalid(reason)
    }
}

impl KeySet {
    /// Reads a set. Keys that are for something else, or of a kind that is not known, are left out.
    ///
    /// # Errors
    /// When it is no set, has too many keys, or none that can be used.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let set = json::object(bytes).map_err(|error| format!("it is not a set of keys: {error}"))?;
        let Some(Value::Array(jwks)) = set.get("keys") else {
            return Err("it is not a set of keys: it has no list `keys`".to_owned());
        };
        if jwks.len() > MOST_KEYS {
            return Err(format!("it has more than {MOST_KEYS} keys"));
        }
        let mut left_out = Vec::new();
        let mut keys = Vec::new();
        for (index, jwk) in jwks.iter().enumerate() {
            match jwk.as_object().ok_or("it is not an object").and_then(Key::from_jwk) {
                Ok(key) => keys.push(key),
                Err(reason) => left_out.push(format!("{}: {reason}", shown(index, jwk))),
            }
        }
        if keys.is_empty() {
            let reasons: Vec<_> = left_out.into_iter().take(MOST_REASONS).collect();
            return Err(match reasons.is_empty() {
                true => "there are no keys in it".to_owned(),
                false => format!("no key in it can be used: {}", reasons.join("; ")),
            });
        }
        let weight = |_: &Digest, token: &Arc<Verified>| u32::try_from(token.bytes + TOKEN_BYTES).unwrap_or(u32::MAX);
        Ok(Self {
            digest: sha256(bytes),
            keys,
            left_out,
            verified: Cache::builder().max_capacity(REMEMBERED_BYTES).weigher(weight).build(),
        })
    }

    /// Which keys of the set are not used, and why.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none, which never is so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A token that has been verified before.
    #[must_use]
    pub fn known(&self, token: &Digest) -> Option<Arc<Verified>> {
        self.verified.get(token)
    }

    /// Verifies a token, whose SHA-256 is `digest`, and remembers it.
    ///
    /// # Errors
    /// Why it cannot be trusted.
    pub fn verify(&self, token: &[u8], digest: Digest, allowed: &[Algorithm]) -> Result<Arc<Verified>, Unverified> {
        let (algorithm, payload) = self.payload(token, allowed, true)?;
        let claims = json::object(&payload).map_err(|_| "its claims are not a JSON object with every name once")?;
        let verified = Arc::new(Verified {
            algorithm,
            claims: Arc::new(Claims::new(claims)?),
            // A parsed object takes a few times what its text does.
            bytes: payload.len() * 4,
        });
        if verified.claims.expires.is_some_and(|expires| expires > claims::now()) {
            self.verified.insert(digest, Arc::clone(&verified));
        }
        Ok(verified)
    }

    /// The payload of any JSON Web Signature, whatever it is.
    ///
    /// # Errors
    /// Why it cannot be trusted.
    pub fn verify_signature(&self, token: &[u8]) -> Result<Vec<u8>, Unverified> {
        self.payload(token, &Algorithm::ALL, false).map(|(_, payload)| payload)
    }

    fn payload(&self, token: &[u8], allowed: &[Algorithm], is_jwt: bool) -> Result<(Algorithm, Vec<u8>), Unverified> {
        let jws = Jws::parse(token)?;
        if !allowed.contains(&jws.algorithm) {
            return Err("its algorithm is not accepted".into());
        }
        if is_jwt {
            check_type(&jws)?;
        }
        let key = self.find(jws.algorithm, jws.key_id()?)?;
        Ok((jws.algorithm, jws.verify(key)?))
    }

    /// The one key that a token can have been signed with. Which of several it was is not found out by trying: an issuer
    /// that has two keys of one name does not know either.
    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<&ParsedPublicKey, Unverified> {
        let mut named = self
            .keys
            .iter()
            .filter(|key| id.is_none() || key.id.as_deref() == id)
            .peekable();
        if named.peek().is_none() {
            return Err(Unverified::UnknownKey);
        }
        let mut fitting = named.filter_map(|key| key.verifier(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err("the key that it names is not for its algorithm".into()),
            (Some(_), Some(_)) => Err("several of its issuer's keys could be its key".into()),
        }
    }
}

/// A key for people: by its place and its name, which comes from outside and so is quoted and cut.
fn shown(index: usize, jwk: &Value) -> String {
    match jwk.get("kid").and_then(Value::as_str) {
        Some(name) => {
            let name: String = name.chars().take(100).collect();
            format!("key {} {name:?}", index + 1)
        }
        None => format!("key {}", index + 1),
    }
}

/// Tokens that are made for something else say so (RFC 8725, section 3.11); a nested one would be another token
/// (RFC 7519, section 5.2).
fn check_type(jws: &Jws<'_>) -> Result<(), &'static str> {
    let is_access = |name: &str| {
        let name = match name.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => name,
        };
        name.eq_ignore_ascii_case("jwt") || name.eq_ignore_ascii_case("at+jwt")
    };
    match jws.header.get("typ") {
        None => {}
        Some(Value::String(name)) if is_access(name) => {}
        Some(_) => return Err("its type (`typ`) says that it is for something else"),
    }
    match jws.header.contains_key("cty") {
        true => Err("it has another token in it (`cty`)"),
        false => Ok(()),
    }
}
