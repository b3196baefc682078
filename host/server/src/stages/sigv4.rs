//! `sigv4`: who the client is, by the signature over its request (AWS Signature Version 4, AWS General Reference, "Signing AWS
//! API requests").
//!
//! What was signed is the request as it was sent, so that is what is compared: method and target from the access record. The
//! path in normal form must name the same resource: a request whose signed path would be forwarded as another one is refused.

mod canonical;
mod claim;
mod query;
mod refusal;
mod signature;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use gatewright_config::{CredentialEntry, SigV4Config};
use gatewright_core::body::CollectError;
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};
use http::header::{self, HeaderName};
use http::uri::PathAndQuery;
use subtle::ConstantTimeEq as _;

use self::canonical::{CanonicalRequest, PathRule};
use self::claim::{Claim, Form, Payload};
use self::refusal::{expired, invalid, unknown};
use self::signature::{SigningKey, hex_of_sha256};
use crate::secret::{self, SecretError};

const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Lets requests pass whose signature is that of a known access key.
#[derive(Debug)]
pub struct SigV4 {
    keys: HashMap<String, Key>,
    path: PathRule,
    service: String,
    region: Option<String>,
    clock_skew: Duration,
    presigned: Duration,
    unsigned_payload: bool,
    signed_headers: Vec<HeaderName>,
    body_bytes: u64,
}

#[derive(Debug)]
struct Key {
    principal: String,
    token: Option<String>,
    enabled: bool,
    signing: SigningKey,
}

impl Stage for SigV4 {
    fn name(&self) -> &str {
        "sigv4"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let now = SystemTime::now();
        let hash = exchange.body.is_empty().then_some(EMPTY);
        match self.check(exchange, now, hash) {
            Ok(Some(claim)) => Step::ready(Ok(self.apply(exchange, &claim))),
            Ok(None) => Step::waiting(self.check_with_body(exchange, now)),
            Err(problem) => Step::ready(Err(problem)),
        }
    }
}

impl SigV4 {
    /// A stage that knows these access keys.
    ///
    /// # Errors
    /// The first of them whose secret or token cannot be read.
    pub fn new(config: &SigV4Config, credentials: Vec<CredentialEntry>) -> Result<Self, (String, SecretError)> {
        let key = |entry: CredentialEntry| {
            let read = |reference| secret::read(reference).map_err(|error| (entry.access_key_id.clone(), error));
            let key = Key {
                token: entry.session_token.as_ref().map(read).transpose()?,
                enabled: entry.enabled,
                signing: SigningKey::new(&read(&entry.secret)?),
                principal: entry.principal,
            };
            Ok((entry.access_key_id, key))
        };
        // The configuration has checked the names.
        let name = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        Ok(Self {
            keys: credentials.into_iter().map(key).collect::<Result<_, _>>()?,
            path: PathRule::of_service(&config.service),
            service: config.service.clone(),
            region: config.region.clone(),
            clock_skew: config.clock_skew,
            presigned: config.presigned,
            unsigned_payload: config.unsigned_payload,
            signed_headers: config.signed_headers.iter().filter_map(name).collect(),
            body_bytes: config.body_bytes.0,
        })
    }

    async fn check_with_body(&self, exchange: &mut Exchange, now: SystemTime) -> Result<Flow, Problem> {
        let body = exchange.collect_body(self.body_bytes).await;
        let body = body.map_err(|error| match error {
            CollectError::TooLarge => Problem::new(ProblemKind::RequestTooLarge)
                .with_cause("stage `sigv4`: the body is larger than what it compares with a signature; see its `body`"),
            CollectError::Body(error) => error.0,
        })?;
        let hash = hex_of_sha256(&body);
        match self.check(exchange, now, Some(&hash))? {
            Some(claim) => {
                exchange.body = Body::full(body);
                Ok(self.apply(exchange, &claim))
            }
            None => Err(ProblemKind::InternalError.into()),
        }
    }

    /// Compares the request with its signature. `body` is the SHA-256 of its body where that is known; what can be refused
    /// without it is, and none is answered where it is needed.
    fn check(&self, exchange: &Exchange, now: SystemTime, body: Option<&str>) -> Result<Option<Claim>, Problem> {
        let target = exchange.record.target.as_ref();
        let query = target.and_then(PathAndQuery::query).unwrap_or_default();
        let claim = Claim::read(&exchange.request.headers, query)?;
        let key = self.key(&claim)?;
        self.check_scope(&claim)?;
        self.check_time(&claim, now)?;
        claim.covers(&exchange.request.headers, &self.signed_headers)?;
        let payload = claim.payload(self.path)?;
        let hash = match (&payload, body) {
            (Payload::Unsigned(name), _) if self.unsigned_payload => *name,
            (Payload::Unsigned(_), _) => return Err(invalid("The payload must be signed, and is not")),
            (Payload::Sha256(signed), Some(body)) if signed != body => {
                let detail = "The provided 'x-amz-content-sha256' does not match what was computed";
                return Err(invalid(detail));
            }
            (Payload::Sha256(signed), _) => signed,
            (Payload::OfBody, Some(body)) => body,
            (Payload::OfBody, None) => return Ok(None),
        };
        let canonical = CanonicalRequest {
            method: exchange.record.method.as_str(),
            path: target.map_or("/", PathAndQuery::path),
            query,
            authority: exchange.request.authority.as_bytes(),
            headers: &exchange.request.headers,
            signed: &claim.signed_headers,
            payload: hash,
            rule: self.path,
        };
        let canonical = canonical.text()?;
        let expected = key.signing.sign(&claim.scope, &claim.time, &canonical);
        if !bool::from(expected.ct_eq(&claim.signature)) {
            if let Some(explanation) = &exchange.record.explanation {
                let text = String::from_utf8_lossy(&canonical).into_owned();
                explanation.note("signature", [("canonical_request", Value::Text(text))]);
            }
            return Err(invalid(
                "The request signature we calculated does not match the signature you provided. Check your secret access key \
                 and signing method",
            ));
        }
        self.check_forwarded(exchange)?;
        Ok(match (payload, body) {
            (Payload::Sha256(_), None) => None,
            _ => Some(claim),
        })
    }

    /// Compares what is forwarded with what was verified. They differ where the service takes `a//b` for another resource than
    /// the gateway does, and where a stage before this one has changed the target.
    fn check_forwarded(&self, exchange: &Exchange) -> Result<(), Problem> {
        let Some(signed) = &exchange.record.target else {
            return Ok(());
        };
        let forwarded = &exchange.request.target;
        if self.path.names_the_same(signed.path(), forwarded.path()) && signed.query() == forwarded.query() {
            return Ok(());
        }
        Err(Problem::new(ProblemKind::BadRequest)
            .with_detail("What was signed is another resource than what would be forwarded: its path has an empty, '.' or '..' segment")
            .with_cause(format!("stage `sigv4`: `{signed}` was signed, and `{forwarded}` would be forwarded")))
    }

    fn key(&self, claim: &Claim) -> Result<&Key, Problem> {
        let Some(key) = self.keys.get(&claim.access_key_id).filter(|key| key.enabled) else {
            return Err(unknown("unknown or disabled access key"));
        };
        let same = match (&key.token, &claim.token) {
            (None, None) => true,
            // How long a token is, is no secret.
            (Some(token), Some(sent)) => bool::from(token.as_bytes().ct_eq(sent.as_bytes())),
            _ => false,
        };
        if same {
            Ok(key)
        } else {
            Err(unknown("wrong session token"))
        }
    }

    fn check_scope(&self, claim: &Claim) -> Result<(), Problem> {
        let scope = &claim.scope;
        if scope.service != self.service {
            let service = &self.service;
            return Err(invalid(format!(
                "Credential should be scoped to correct service: '{service}'"
            )));
        }
        if let Some(region) = self.region.as_ref().filter(|region| **region != scope.region) {
            return Err(invalid(format!(
                "Credential should be scoped to a valid region: '{region}'"
            )));
        }
        if !claim.time.text().starts_with(&scope.date) {
            return Err(invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
            ));
        }
        Ok(())
    }

    fn check_time(&self, claim: &Claim, now: SystemTime) -> Result<(), Problem> {
        let signed = claim.time.at();
        if signed > now + self.clock_skew {
            return Err(invalid(format!("Signature not yet current: {}", claim.time.text())));
        }
        match claim.form {
            Form::Header if signed + self.clock_skew < now => {
                Err(invalid(format!("Signature expired: {}", claim.time.text())))
            }
            Form::Header => Ok(()),
            Form::Presigned { .. } if self.presigned.is_zero() => Err(invalid("Presigned URLs are not accepted here")),
            Form::Presigned { expires } if expires > self.presigned => {
                let most = self.presigned.as_secs();
                Err(invalid(format!("X-Amz-Expires must be less than {most} seconds")))
            }
            Form::Presigned { expires } if signed + expires < now => Err(expired("Request has expired")),
            Form::Presigned { .. } => Ok(()),
        }
    }

    /// Notes who it is. What proves it ends here: nobody behind can use it, and upstreams write it to logs.
    fn apply(&self, exchange: &mut Exchange, claim: &Claim) -> Flow {
        if let Some(key) = self.keys.get(&claim.access_key_id) {
            exchange.authenticate("sigv4", &key.principal);
        }
        let facts = [
            ("auth.access_key_id", &claim.access_key_id),
            ("auth.region", &claim.scope.region),
            ("auth.service", &claim.scope.service),
        ];
        for (name, value) in facts {
            exchange.attributes.set(name, Value::Text(value.clone()));
        }
        let request = &mut exchange.request;
        request.headers.remove(header::AUTHORIZATION);
        request.headers.remove(X_AMZ_SECURITY_TOKEN);
        if matches!(claim.form, Form::Presigned { .. })
            && let Some(target) = query::without_signature(&request.target)
        {
            request.target = target;
        }
        Flow::Proceed
    }
}

#[cfg(test)]
mod tests;
