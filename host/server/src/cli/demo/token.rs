//! A signed token for the demo's authorizer, as an identity provider would give it out.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// The demo's configuration has the same.
const SECRET: &str = "a-demo-secret-that-is-long-enough";
const ISSUER: &str = "https://demo.example";
const LIFETIME_SECONDS: u64 = 3600;

/// A token for `alice`, good for an hour.
pub(super) fn sign() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let claims = json!({ "iss": ISSUER, "sub": "alice", "tenant": "demo", "exp": now + LIFETIME_SECONDS });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        encode(&json!({ "alg": "HS256", "typ": "JWT" })),
        encode(&claims)
    );
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return signed;
    };
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
