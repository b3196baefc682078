//! JSON Web Signatures in compact form (RFC 7515), read strictly. What a token's header says of keys (`jku`, `jwk`, `x5u`,
//! `x5c`) is not looked at: who makes a token does not say who is believed.

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_config::Algorithm;
use serde_json::{Map, Value};

use super::json;

/// A token that has been read and not verified.
pub struct Jws<'t> {
    /// What its signature was made with.
    pub algorithm: Algorithm,
    /// Its header.
    pub header: Map<String, Value>,
    signed: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is no token of which the signature could be verified.
    pub fn parse(token: &'t [u8]) -> Result<Self, &'static str> {
        let mut dots = token
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'.')
            .map(|(at, _)| at);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err("it has not the three parts of a signed token");
        };
        let part = |from: usize, to: usize| token.get(from..to).unwrap_or_default();
        let header = decode(part(0, first)).ok_or("its header is not base64url")?;
        let header = json::object(&header).map_err(|_| "its header is not a JSON object with every name once")?;
        // Whatever an extension demands is not done here; one that says so nobody must ignore (RFC 7515, section 4.1.11;
        // RFC 7797, section 6).
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err("its header demands an extension");
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        Ok(Self {
            algorithm: algorithm.ok_or("its algorithm is not accepted")?,
            header,
            signed: part(0, second),
            payload: part(first + 1, second),
            signature: part(second + 1, token.len()),
        })
    }

    /// The name of the key that it says it was signed with.
    ///
    /// # Errors
    /// When that is no text.
    pub fn key_id(&self) -> Result<Option<&str>, &'static str> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(id)) => Ok(Some(id)),
            Some(_) => Err("its `kid` is not text"),
        }
    }

    /// The payload, if this key's owner has signed it.
    ///
    /// # Errors
    /// Why it cannot be trusted.
    pub fn verify(&self, key: &ParsedPublicKey) -> Result<Vec<u8>, &'static str> {
        let signature = decode(self.signature).ok_or("its signature is not base64url")?;
        key.verify_sig(self.signed, &signature)
            .map_err(|_| "its signature is not one of its issuer's key")?;
        decode(self.payload).ok_or("its payload is not base64url")
    }
}

/// Without padding, and nothing in the bits that are left over (RFC 7515, section 2).
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_header_that_could_mean_something_else_is_refused() {
        assert!(Jws::parse(token(r#"{"alg":"ES256"}"#).as_bytes()).is_ok());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"es256"}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","alg":"none"}"#,
            r#"{"alg":"ES256","crit":["exp"]}"#,
            r#"{"alg":"ES256","crit":[]}"#,
            r#"{"alg":"ES256","b64":false}"#,
            r#"{"kid":"a"}"#,
            r#"["ES256"]"#,
            "",
        ] {
            assert!(Jws::parse(token(header).as_bytes()).is_err(), "{header}");
        }
    }

    #[test]
    fn a_token_has_three_parts_in_strict_base64url() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        for wrong in [
            String::new(),
            "..".to_owned(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30.AA.AA"),
            format!("{header}.e30.AA.AA.AA"),
            format!("{header}=.e30.AA"),
            format!(" {header}.e30.AA"),
            format!("{header}+.e30.AA"),
        ] {
            assert!(Jws::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        // The last character has bits that mean nothing, and must say nothing.
        assert_eq!(decode(b"AA"), Some(vec![0]));
        for wrong in [&b"AB"[..], b"AA==", b"A", b"A A", b"A/A", b"AA\n"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
