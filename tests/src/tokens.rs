//! Signers of JSON Web Tokens, as an issuer has them and as an attacker has them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key that signs, and its name.
pub struct Signer {
    id: String,
    key: SigningKey,
}

enum SigningKey {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding, &'static str),
    Elliptic(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl Signer {
    /// A new key of that algorithm: `RS256`, `PS256`, `ES256`, `EdDSA`.
    pub fn new(algorithm: &str, id: &str) -> Self {
        let rsa = || Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let key = match algorithm {
            "RS256" => SigningKey::Rsa(rsa(), &RSA_PKCS1_SHA256, "RS256"),
            "PS256" => SigningKey::Rsa(rsa(), &RSA_PSS_SHA256, "PS256"),
            "ES256" => SigningKey::Elliptic(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "EdDSA" => SigningKey::Edwards(Ed25519KeyPair::generate().unwrap()),
            other => panic!("nobody signs with {other} here"),
        };
        Self { id: id.to_owned(), key }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> &'static str {
        match &self.key {
            SigningKey::Rsa(_, _, name) => name,
            SigningKey::Elliptic(_) => "ES256",
            SigningKey::Edwards(_) => "EdDSA",
        }
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            SigningKey::Rsa(key, ..) => {
                // RFC 8017, appendix A.1.1: of a modulus of 2048 bits, and an exponent of 65537.
                let public = key.public_key().as_ref();
                json!({ "kty": "RSA", "n": encode(&public[9..265]), "e": encode(&public[267..]) })
            }
            SigningKey::Elliptic(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            SigningKey::Edwards(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// A token with these claims, and these fields of its header besides or instead of the usual ones; null takes one away.
    pub fn token_with(&self, fields: &Value, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm(), "kid": self.id, "typ": "JWT" });
        for (name, value) in fields.as_object().unwrap() {
            header[name] = value.clone();
        }
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A token of these texts.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = match &self.key {
            SigningKey::Rsa(key, encoding, _) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = SystemRandom::new();
                key.sign(*encoding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            SigningKey::Elliptic(key) => {
                let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            SigningKey::Edwards(key) => key.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(&signature))
    }
}

/// A set of these keys.
pub fn jwks<'s>(signers: impl IntoIterator<Item = &'s Signer>) -> String {
    let keys: Vec<_> = signers.into_iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// Seconds since 1970, so many from now.
pub fn seconds_from_now(seconds: i64) -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_secs()).unwrap() + seconds
}

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
