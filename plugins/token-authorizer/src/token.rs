//! The signature of a token. Nothing of what is signed is looked at before the signature holds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::Refusal;

/// Longer tokens are not read at all.
const LONGEST_TOKEN_BYTES: usize = 8 * 1024;

/// The header of the token. Duplicate keys are an error of the parser; unknown ones are allowed, except those the
/// sender declares to be critical.
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde_json::Value>,
}

/// Returns the signed claims as JSON text.
pub(crate) fn verify(token: &str, secret: &[u8]) -> Result<Vec<u8>, Refusal> {
    if token.len() > LONGEST_TOKEN_BYTES {
        return Err(Refusal::Invalid("longer than 8 KiB"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    // A fourth part would leave a dot in the claims, which base64 refuses.
    check_header(&decode(header)?)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| Refusal::Invalid("unusable key"))?;
    mac.update(signed.as_bytes());
    // Compares in constant time.
    mac.verify_slice(&decode(signature)?)
        .map_err(|_| Refusal::Invalid("wrong signature"))?;
    decode(claims)
}

fn check_header(header: &[u8]) -> Result<(), Refusal> {
    let header: Header = serde_json::from_slice(header).map_err(|_| Refusal::Invalid("header is not JSON"))?;
    // The algorithm is the configuration's choice, never the token's.
    if header.alg != "HS256" {
        return Err(Refusal::Invalid("algorithm is not HS256"));
    }
    match header.crit {
        None => Ok(()),
        Some(_) => Err(Refusal::Invalid("critical extensions are not supported")),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::Invalid("not base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7515_holds() {
        let key =
            decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow").unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verify(token, &key).is_ok());
        assert_eq!(verify(token, b"another key"), Err(Refusal::Invalid("wrong signature")));
    }
}
