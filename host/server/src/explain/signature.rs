//! How a live request asks to be explained: a header field that whoever knows the key has made for this method and
//! path, and that is good for a short time.
//!
//! `x-gatewright-explain: EXPIRES.SIGNATURE`, where EXPIRES is in seconds since 1970 and SIGNATURE the HMAC-SHA-256, in
//! hexadecimal, of a fixed word, EXPIRES, the method and the path in normal form, each on a line of its own.

use std::fmt;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{HeaderName, HeaderValue};
use sha2::Sha256;

/// The header field.
pub const HEADER: HeaderName = HeaderName::from_static("x-gatewright-explain");
/// Nothing is signed for longer, so that one that leaks is soon worth nothing.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// A key that can be guessed would let anybody ask.
pub const SHORTEST_KEY: usize = 16;

/// Signs and verifies.
pub struct Signature(Vec<u8>);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}

impl Signature {
    /// With this key; none when it is too short.
    pub fn new(key: &str) -> Option<Self> {
        (key.len() >= SHORTEST_KEY).then(|| Self(key.as_bytes().to_owned()))
    }

    /// The field's value for a request, good for so long from now on.
    pub fn sign(&self, method: &str, path: &str, lifetime: Duration) -> String {
        let expires = now().saturating_add(lifetime.min(LONGEST).as_secs());
        let mac = self.mac(expires, method, path).map(|mac| mac.finalize().into_bytes());
        let hex: String = mac.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
        format!("{expires}.{hex}")
    }

    /// Whether the value is good for a request now.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, value: &HeaderValue, method: &str, path: &str) -> Result<(), &'static str> {
        let value = value.to_str().map_err(|_| "the field is not text")?;
        let (expires, hex) = value.split_once('.').ok_or("the field is not EXPIRES.SIGNATURE")?;
        let expires: u64 = expires.parse().map_err(|_| "its expiry is not a number")?;
        let bytes = unhex(hex).ok_or("its signature is not hexadecimal")?;
        let mac = self.mac(expires, method, path).ok_or("there is no key")?;
        mac.verify_slice(&bytes)
            .map_err(|_| "its signature is not of this method and path, or of another key")?;
        let now = now();
        match expires {
            _ if expires <= now => Err("it has expired"),
            _ if expires - now > LONGEST.as_secs() => Err("it is good for longer than an hour"),
            _ => Ok(()),
        }
    }

    fn mac(&self, expires: u64, method: &str, path: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("gatewright-explain\n{expires}\n{method}\n{path}").as_bytes());
        Some(mac)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn signature() -> Signature {
        Signature::new("a key of sixteen bytes or more").unwrap()
    }

    fn verify(value: &str, method: &str, path: &str) -> Result<(), &'static str> {
        signature().verify(&HeaderValue::from_str(value).unwrap(), method, path)
    }

    #[test]
    fn what_is_signed_is_good_for_its_method_and_path_only() {
        let value = signature().sign("GET", "/a", MINUTE);
        assert_eq!(verify(&value, "GET", "/a"), Ok(()));
        for (method, path) in [("POST", "/a"), ("GET", "/b"), ("GET", "/a/")] {
            assert!(
                verify(&value, method, path).unwrap_err().contains("signature"),
                "{method} {path}"
            );
        }
        let other = Signature::new("another key of sixteen bytes")
            .unwrap()
            .sign("GET", "/a", MINUTE);
        assert!(verify(&other, "GET", "/a").unwrap_err().contains("signature"));
    }

    #[test]
    fn what_has_expired_or_lasts_too_long_is_refused_even_if_it_is_signed() {
        let expired = signature().sign("GET", "/a", Duration::ZERO);
        assert_eq!(verify(&expired, "GET", "/a"), Err("it has expired"));
        let late = now() + 2 * LONGEST.as_secs();
        let mac = signature().mac(late, "GET", "/a").unwrap().finalize().into_bytes();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let refused = verify(&format!("{late}.{hex}"), "GET", "/a").unwrap_err();
        assert_eq!(refused, "it is good for longer than an hour");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for value in ["", "1", "1.", "x.00", "1.0", "1.zz", "99999999999999999999.00", "1.+f"] {
            assert!(verify(value, "GET", "/a").is_err(), "{value}");
        }
        assert!(Signature::new("short").is_none());
    }
}
