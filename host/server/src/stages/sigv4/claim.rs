//! What a request says of its signature: in `Authorization`, or in the query of a presigned URL.

use std::time::Duration;

use gatewright_core::{Problem, ProblemKind};
use http::header::{self, HeaderMap, HeaderName};

use super::canonical::PathRule;
use super::query;
use super::refusal::{incomplete, invalid, missing};
use super::signature::{ALGORITHM, Scope, SigningTime};

/// The seven days after which nobody knows what a key was.
const LONGEST_EXPIRES: u64 = 7 * 24 * 3600;

/// Who signed what, and when. Nothing of it is proven.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) access_key_id: String,
    pub(super) scope: Scope,
    pub(super) time: SigningTime,
    /// Lower case, in ascending order.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: [u8; 32],
    pub(super) token: Option<String>,
    pub(super) form: Form,
    content_sha256: Option<String>,
}

/// Where the signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In `Authorization`.
    Header,
    /// In the query.
    Presigned {
        /// From the time of signing.
        expires: Duration,
    },
}

/// What of the body is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// A body that hashes to this, as a field says which is signed itself.
    Sha256(String),
    /// The body that there is.
    OfBody,
    /// Nothing, which the signature calls by this name.
    Unsigned(&'static str),
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// A body in chunks of `aws-chunked` with a checksum behind them: what SDKs send to S3 over TLS ("Signature calculations:
/// Using unsigned trailers", Amazon S3 API Reference). Neither chunks nor trailer are signed, so it is forwarded as it came.
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The parameters of either form.
struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl Claim {
    /// Reads it.
    ///
    /// # Errors
    /// When there is none, or none that makes sense.
    pub(super) fn read(headers: &HeaderMap, query: &str) -> Result<Self, Problem> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(incomplete("There is more than one Authorization header"));
        }
        let presigned = query.contains("X-Amz-") && query::pairs(query).any(|(name, _)| *name == *b"X-Amz-Algorithm");
        match authorization {
            None if presigned => Self::from_query(headers, query),
            None => Err(missing()),
            Some(_) if presigned => Err(incomplete("There are signatures in the header and in the query")),
            Some(value) => {
                let value = value.to_str().map_err(|_| incomplete("Authorization is not text"))?;
                Self::from_authorization(headers, value)
            }
        }
    }

    fn from_authorization(headers: &HeaderMap, value: &str) -> Result<Self, Problem> {
        let (algorithm, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
        check_algorithm(algorithm)?;
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for part in rest.split(',') {
            let Some((name, value)) = part.trim().split_once('=') else {
                return Err(incomplete("Authorization has something that is not a key=value pair"));
            };
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(incomplete("Authorization has a parameter that it cannot have")),
            };
            if place.replace(value).is_some() {
                return Err(incomplete(format!("Authorization has '{name}' twice")));
            }
        }
        let lacks = |name: &str| incomplete(format!("Authorization header requires '{name}' parameter."));
        let parts = Parts {
            credential: credential.ok_or_else(|| lacks("Credential"))?,
            signed_headers: signed_headers.ok_or_else(|| lacks("SignedHeaders"))?,
            signature: signature.ok_or_else(|| lacks("Signature"))?,
        };
        let time = match single(headers, "x-amz-date")? {
            Some(text) => SigningTime::parse(text, false),
            None => match single(headers, header::DATE.as_str())? {
                Some(text) => SigningTime::parse(text, true),
                None => {
                    let detail = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
                    return Err(incomplete(detail));
                }
            },
        };
        let token = single(headers, "x-amz-security-token")?.map(str::to_owned);
        let content = single(headers, "x-amz-content-sha256")?.map(str::to_owned);
        Self::new(&parts, time, token, content, Form::Header)
    }

    fn from_query(headers: &HeaderMap, query: &str) -> Result<Self, Problem> {
        let value = |wanted: &str| {
            let mut values = query::pairs(query).filter(|(name, _)| **name == *wanted.as_bytes());
            let value = values.next().map(|(_, value)| value.into_owned());
            match (value.map(String::from_utf8), values.next()) {
                (None, _) => Ok(None),
                (Some(Ok(value)), None) => Ok(Some(value)),
                _ => Err(incomplete(format!("'{wanted}' is there twice, or is not text"))),
            }
        };
        let need = |name: &str| {
            value(name)?.ok_or_else(|| incomplete(format!("AWS query-string parameters must include '{name}'.")))
        };
        check_algorithm(&need("X-Amz-Algorithm")?)?;
        let (credential, signed_headers) = (need("X-Amz-Credential")?, need("X-Amz-SignedHeaders")?);
        let (time, expires, signature) = (need("X-Amz-Date")?, need("X-Amz-Expires")?, need(query::SIGNATURE)?);
        let expires = expires
            .parse()
            .ok()
            .filter(|seconds| (1..=LONGEST_EXPIRES).contains(seconds));
        let expires = expires.ok_or_else(|| incomplete("X-Amz-Expires must be a number from 1 to 604800"))?;
        let parts = Parts {
            credential: &credential,
            signed_headers: &signed_headers,
            signature: &signature,
        };
        let content = match value("X-Amz-Content-Sha256")? {
            Some(hash) => Some(hash),
            None => single(headers, "x-amz-content-sha256")?.map(str::to_owned),
        };
        let form = Form::Presigned {
            expires: Duration::from_secs(expires),
        };
        let token = value("X-Amz-Security-Token")?;
        Self::new(&parts, SigningTime::parse(&time, false), token, content, form)
    }

    fn new(
        parts: &Parts<'_>,
        time: Option<SigningTime>,
        token: Option<String>,
        content_sha256: Option<String>,
        form: Form,
    ) -> Result<Self, Problem> {
        let time =
            time.ok_or_else(|| incomplete("The date is not in ISO 8601 basic form, such as 20150830T123600Z"))?;
        let (access_key_id, scope) = credential(parts.credential)
            .ok_or_else(|| incomplete("Credential must be KEYID/YYYYMMDD/REGION/SERVICE/aws4_request"))?;
        let signed_headers = signed_headers(parts.signed_headers)?;
        let signature = digest(parts.signature).ok_or_else(|| incomplete("Signature is not 64 hexadecimal digits"))?;
        Ok(Self {
            access_key_id,
            scope,
            time,
            signed_headers,
            signature,
            token,
            form,
            content_sha256,
        })
    }

    /// Checks that what must be signed is: the host, what AWS reads, and what the configuration says.
    ///
    /// # Errors
    /// When something is not.
    pub(super) fn covers(&self, headers: &HeaderMap, more: &[HeaderName]) -> Result<(), Problem> {
        let signed = |name: &str| {
            self.signed_headers
                .binary_search_by(|known| (**known).cmp(name))
                .is_ok()
        };
        if !signed("host") {
            return Err(invalid(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        let must = |name: &&HeaderName| name.as_str().starts_with("x-amz-") || more.contains(name);
        match headers.keys().filter(must).find(|name| !signed(name.as_str())) {
            Some(name) => Err(invalid(format!("The field '{name}' is there, and is not signed"))),
            None => Ok(()),
        }
    }

    /// What of the body is signed.
    ///
    /// # Errors
    /// When that cannot be compared.
    pub(super) fn payload(&self, rule: PathRule) -> Result<Payload, Problem> {
        match self.content_sha256.as_deref() {
            None if rule.is_s3() && self.form != Form::Header => Ok(Payload::Unsigned(UNSIGNED)),
            None => Ok(Payload::OfBody),
            Some(UNSIGNED) => Ok(Payload::Unsigned(UNSIGNED)),
            Some(UNSIGNED_CHUNKS) if rule.is_s3() => Ok(Payload::Unsigned(UNSIGNED_CHUNKS)),
            Some(text) if text.starts_with("STREAMING-") => Err(Problem::new(ProblemKind::NotImplemented).with_detail(
                format!("Bodies signed in chunks ({text}) are not verified here; sign the whole body"),
            )),
            Some(text) if digest(text).is_some() => Ok(Payload::Sha256(text.to_owned())),
            Some(_) => Err(incomplete(
                "x-amz-content-sha256 is neither UNSIGNED-PAYLOAD nor a SHA-256",
            )),
        }
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Problem> {
    match algorithm == ALGORITHM {
        true => Ok(()),
        false => Err(incomplete(format!("The only algorithm is '{ALGORITHM}'"))),
    }
}

fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(incomplete(format!("'{name}' is there twice, or is not text"))),
    }
}

/// `KEYID/YYYYMMDD/REGION/SERVICE/aws4_request`
fn credential(text: &str) -> Option<(String, Scope)> {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (id, date, region, service, end) = (next()?, next()?, next()?, next()?, next()?);
    let whole = end == "aws4_request" && date.len() == 8 && parts.next().is_none();
    whole.then_some((id, Scope { date, region, service }))
}

/// In ascending order, as they must be: so none is there twice.
fn signed_headers(text: &str) -> Result<Vec<String>, Problem> {
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    let is_name = |name: &String| HeaderName::from_bytes(name.as_bytes()).is_ok_and(|parsed| parsed.as_str() == name);
    if names.iter().all(is_name) && names.is_sorted_by(|one, next| one < next) {
        Ok(names)
    } else {
        Err(incomplete(
            "SignedHeaders must be names in lower case, in ascending order, separated by ';'",
        ))
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
