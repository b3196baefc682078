//! Keys that sign, and the time and scope that they sign for.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How times are written.
const ISO_BASIC: &str = "%Y%m%dT%H%M%SZ";

/// For what a signature is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// `YYYYMMDD`
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
}

/// When something was signed.
#[derive(Clone, Debug)]
pub(super) struct SigningTime {
    text: String,
    at: SystemTime,
}

/// A secret access key. What is derived from it for a day and a region is kept for the next request.
pub(super) struct SigningKey {
    secret: String,
    derived: ArcSwapOption<(Scope, [u8; 32])>,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningTime {
    /// `20150830T123600Z`, or a date as HTTP writes it where `http` is set.
    pub(super) fn parse(text: &str, http: bool) -> Option<Self> {
        if let Ok(time) = DateTime::strptime(ISO_BASIC, text) {
            // What is read leniently must be what is compared.
            let at = SystemTime::from(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
            let text = text.to_owned();
            return (time.strftime(ISO_BASIC).to_string() == text).then_some(Self { text, at });
        }
        let at = httpdate::parse_http_date(text).ok().filter(|_| http)?;
        let time = jiff::Timestamp::try_from(at).ok()?;
        let text = time.strftime(ISO_BASIC).to_string();
        Some(Self { text, at })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn at(&self) -> SystemTime {
        self.at
    }
}

impl SigningKey {
    pub(super) fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            derived: ArcSwapOption::empty(),
        }
    }

    /// The signature of a canonical request.
    pub(super) fn sign(&self, scope: &Scope, time: &SigningTime, canonical: &[u8]) -> [u8; 32] {
        let hash = hex_of_sha256(canonical);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", time.text());
        hmac(&self.derived(scope), text.as_bytes())
    }

    fn derived(&self, scope: &Scope) -> [u8; 32] {
        if let Some(known) = self.derived.load().as_deref()
            && known.0 == *scope
        {
            return known.1;
        }
        let mut key = hmac(format!("AWS4{}", self.secret).as_bytes(), scope.date.as_bytes());
        for part in [&scope.region, &scope.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        self.derived.store(Some(Arc::new((scope.clone(), key))));
        key
    }
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // A key may have any length.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| mac.chain_update(text).finalize().into_bytes().into())
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn hex_of_sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let bytes = Sha256::digest(bytes);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
