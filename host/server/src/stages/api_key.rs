//! `api-key`: who the client is, by a key that it sends.
//!
//! Keys are kept as SHA-256 digests. They are long and random, so a fast hash hides them as well as a slow one would,
//! and looking a digest up tells nothing of the keys near it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

use gatewright_config::{ApiKeyConfig, ApiKeyEntry, ApiKeySource};
use gatewright_core::{Attributes, Exchange, Flow, Problem, ProblemKind, Request, Stage, Step, Value};
use http::header::{self, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::usage_plan::USAGE_PLANS;
use crate::token::carriers::Carrier;

/// The attribute that names the key.
const API_KEY: &str = "auth.api_key";
/// The attribute in which authorizers name a key.
const USAGE_KEY: &str = "auth.usage_key";
/// Keys longer than this are nobody's, and not worth hashing.
const MAX_KEY_BYTES: usize = 1024;

/// Lets clients pass that send a known key.
#[derive(Debug)]
pub struct ApiKey {
    keys: HashMap<[u8; 32], Key>,
    sources: Vec<Source>,
    forward: bool,
}

#[derive(Clone, Debug)]
struct Key {
    name: String,
    enabled: bool,
    /// From when on it is not accepted, in seconds since 1970.
    expires: Option<u64>,
    /// The names of its usage plans, with spaces between them; empty for none.
    usage_plans: String,
}

#[derive(Debug)]
enum Source {
    /// The client sends it.
    Request(Carrier),
    /// An authorizer has named it.
    Authorizer,
}

impl Stage for ApiKey {
    fn name(&self) -> &str {
        "api-key"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let key = match self.check(&exchange.request, &exchange.attributes) {
            Ok(key) => key,
            Err(problem) => return Step::ready(Err(problem)),
        };
        // A key says which program it is. Who the client is, an authorizer before it knows better.
        if exchange.principal().is_none() {
            exchange.authenticate("api-key", &key.name);
        }
        exchange.record.api_key = Some(key.name.clone());
        exchange.attributes.set(API_KEY, Value::Text(key.name.clone()));
        if !key.usage_plans.is_empty() {
            exchange
                .attributes
                .set(USAGE_PLANS, Value::Text(key.usage_plans.clone()));
        }
        if !self.forward {
            for source in &self.sources {
                source.remove(&mut exchange.request);
            }
        }
        Step::ready(Ok(Flow::Proceed))
    }
}

impl ApiKey {
    /// A stage that knows these keys.
    pub fn new(config: &ApiKeyConfig, entries: &[ApiKeyEntry]) -> Self {
        let sources = config.sources.iter().filter_map(Source::new).collect();
        let mut keys = HashMap::with_capacity(entries.len());
        for entry in entries {
            let key = Key {
                name: entry.name.clone(),
                enabled: entry.enabled,
                expires: entry.expires,
                usage_plans: entry.usage_plans.join(" "),
            };
            if let Some(previous) = entry.previous {
                let expires = key
                    .expires
                    .map_or(previous.until, |expires| expires.min(previous.until));
                keys.insert(
                    previous.sha256,
                    Key {
                        expires: Some(expires),
                        ..key.clone()
                    },
                );
            }
            keys.insert(entry.sha256, key);
        }
        Self {
            keys,
            sources,
            forward: config.forward,
        }
    }

    /// The key that the request has.
    fn check(&self, request: &Request, attributes: &Attributes) -> Result<&Key, Problem> {
        let Some((source, key)) = self
            .sources
            .iter()
            .find_map(|source| Some((source, source.read(request, attributes)?)))
        else {
            return Err(match self.sources.as_slice() {
                // The client has done what it could.
                [Source::Authorizer] => invalid("the authorizer has named no usage key"),
                _ => self.unauthorized("no API key"),
            });
        };
        let known = (key.len() <= MAX_KEY_BYTES)
            .then(|| self.keys.get(&digest(&key)))
            .flatten();
        let reason = match known {
            Some(key) if key.enabled && !key.is_over() => return Ok(key),
            Some(key) => format!("the API key of `{}` is disabled or over", key.name),
            None => "unknown API key".to_owned(),
        };
        // Credentials of an authentication scheme that prove nothing are answered like none (RFC 9110, 15.5.2).
        Err(match source.scheme() {
            Some(_) => self.unauthorized(&reason),
            None => invalid(&reason),
        })
    }

    fn unauthorized(&self, cause: &str) -> Problem {
        let scheme = self.sources.iter().find_map(Source::scheme).unwrap_or("ApiKey");
        let problem = Problem::new(ProblemKind::Unauthorized).with_cause(cause);
        match HeaderValue::from_str(scheme) {
            Ok(scheme) => problem.with_header(header::WWW_AUTHENTICATE, scheme),
            Err(_) => problem,
        }
    }
}

/// What is kept of a key.
pub fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn invalid(cause: &str) -> Problem {
    Problem::new(ProblemKind::InvalidApiKey).with_cause(cause)
}

impl Key {
    fn is_over(&self) -> bool {
        self.expires.is_some_and(|expires| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs()) >= expires
        })
    }
}

impl Source {
    /// None for a name that is no header name; the configuration has refused such.
    fn new(config: &ApiKeySource) -> Option<Self> {
        Some(match config {
            ApiKeySource::Header { name, scheme } => Self::Request(Carrier::header(name, scheme.as_deref())?),
            ApiKeySource::Query(name) => Self::Request(Carrier::Query(name.clone())),
            ApiKeySource::Authorizer => Self::Authorizer,
        })
    }

    fn scheme(&self) -> Option<&str> {
        match self {
            Self::Request(Carrier::Header { scheme, .. }) => scheme.as_deref(),
            Self::Request(_) | Self::Authorizer => None,
        }
    }

    /// Takes out of a request whatever it has here: also where the key was found elsewhere.
    fn remove(&self, request: &mut Request) {
        match self {
            Self::Request(carrier) => carrier.remove(request),
            Self::Authorizer => {}
        }
    }

    /// The key that the request has here.
    fn read<'r>(&self, request: &'r Request, attributes: &Attributes) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Request(carrier) => carrier.read(request),
            Self::Authorizer => match attributes.get(USAGE_KEY)?.into_owned() {
                Value::Text(key) if !key.is_empty() => Some(Cow::Owned(key.into_bytes())),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_config::{FileReference, Place, PreviousKeyEntry};
    use http::{HeaderMap, Method, Version};

    fn stage(sources: Vec<ApiKeySource>) -> ApiKey {
        let entry = |name: &str, key: &str, enabled| ApiKeyEntry {
            name: name.to_owned(),
            sha256: Sha256::digest(key).into(),
            enabled,
            description: None,
            expires: None,
            previous: None,
            usage_plans: Vec::new(),
        };
        let config = ApiKeyConfig {
            keys: FileReference {
                path: "keys.toml".into(),
                place: Place::nowhere(),
            },
            sources,
            forward: false,
        };
        ApiKey::new(&config, &[entry("partner", "k-1", true), entry("former", "k-2", false)])
    }

    fn request(target: &'static str, fields: &[(&'static str, &'static str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("a"),
            host: "a".to_owned(),
            target: target.parse().unwrap(),
            version: Version::HTTP_11,
            encodings: gatewright_core::path::Encodings::default(),
            headers,
        }
    }

    fn verdict(stage: &ApiKey, request: &Request) -> Result<String, u16> {
        stage
            .check(request, &Attributes::default())
            .map(|key| key.name.clone())
            .map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn missing_is_401_and_unknown_or_disabled_is_403() {
        let stage = stage(vec![ApiKeySource::Header {
            name: "x-api-key".to_owned(),
            scheme: None,
        }]);
        assert_eq!(
            verdict(&stage, &request("/", &[("x-api-key", "k-1")])),
            Ok("partner".to_owned())
        );
        assert_eq!(verdict(&stage, &request("/", &[])), Err(401));
        assert_eq!(verdict(&stage, &request("/", &[("x-api-key", "k-2")])), Err(403));
        assert_eq!(verdict(&stage, &request("/", &[("x-api-key", "k-3")])), Err(403));
        assert_eq!(
            verdict(&stage, &request("/", &[("x-api-key", "k-1"), ("x-api-key", "k-1")])),
            Err(401)
        );
    }

    #[test]
    fn a_scheme_is_asked_for_and_refused_as_one() {
        let scheme = Some("Bearer".to_owned());
        let stage = stage(vec![ApiKeySource::Header {
            name: "authorization".to_owned(),
            scheme,
        }]);
        assert_eq!(
            verdict(&stage, &request("/", &[("authorization", "bearer  k-1")])),
            Ok("partner".to_owned())
        );
        for value in ["Bearer k-3", "Bearer", "Basic k-1", "k-1", "Bearerk-1"] {
            let request = request("/", &[("authorization", value)]);
            let problem = stage.check(&request, &Attributes::default()).unwrap_err();
            assert_eq!(problem.status(), 401, "{value}");
            assert_eq!(problem.headers()[0].1, "Bearer");
        }
    }

    #[test]
    fn a_query_parameter_is_decoded_and_must_be_alone() {
        let stage = stage(vec![ApiKeySource::Query("api_key".to_owned())]);
        assert_eq!(
            verdict(&stage, &request("/?a=b&api%5Fkey=k%2D1", &[])),
            Ok("partner".to_owned())
        );
        assert_eq!(verdict(&stage, &request("/?api_key=k-1&api_key=k-1", &[])), Err(401));
        assert_eq!(verdict(&stage, &request("/?api_key=", &[])), Err(403));
    }

    #[test]
    fn a_key_and_the_one_that_it_replaces_end_when_they_should() {
        let hash = |key: &str| Sha256::digest(key).into();
        let entry = |name: &str, expires, until| ApiKeyEntry {
            name: name.to_owned(),
            sha256: hash(&format!("{name}-new")),
            enabled: true,
            description: None,
            expires,
            previous: Some(PreviousKeyEntry {
                sha256: hash(&format!("{name}-old")),
                until,
            }),
            usage_plans: vec!["a".to_owned(), "b".to_owned()],
        };
        let config = ApiKeyConfig {
            keys: FileReference {
                path: "keys.toml".into(),
                place: Place::nowhere(),
            },
            sources: vec![ApiKeySource::Authorizer],
            forward: false,
        };
        let stage = ApiKey::new(
            &config,
            &[
                entry("both", None, u64::MAX),
                entry("new", None, 1),
                entry("none", Some(1), u64::MAX),
            ],
        );
        let verdict = |key: &str| {
            let mut attributes = Attributes::default();
            attributes.set(USAGE_KEY, Value::Text(key.to_owned()));
            let found = stage.check(&request("/", &[]), &attributes);
            found
                .map(|key| key.usage_plans.clone())
                .map_err(|problem| problem.status().as_u16())
        };
        for good in ["both-new", "both-old", "new-new"] {
            assert_eq!(verdict(good), Ok("a b".to_owned()), "{good}");
        }
        for bad in ["new-old", "none-new", "none-old", ""] {
            assert_eq!(verdict(bad), Err(403), "{bad}");
        }
    }
}
