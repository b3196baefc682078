//! `api-key`: who the client is, by a key that it sends.
//!
//! Keys are kept as SHA-256 digests. They are long and random, so a fast hash hides them as well as a slow one would,
//! and looking a digest up tells nothing of the keys near it.

use std::collections::HashMap;

use gatewright_config::{ApiKeyConfig, ApiKeyEntry, ApiKeySource};
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Request, Stage, Step, Value};
use http::header::{self, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

/// Keys longer than this are nobody's, and not worth hashing.
const MAX_KEY_BYTES: usize = 1024;

/// Lets clients pass that send a known key.
#[derive(Debug)]
pub struct ApiKey {
    keys: HashMap<[u8; 32], Key>,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Key {
    name: String,
    enabled: bool,
}

#[derive(Debug)]
enum Source {
    Header { name: HeaderName, scheme: Option<String> },
    Query(String),
}

impl Stage for ApiKey {
    fn name(&self) -> &str {
        "api-key"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.check(&exchange.request).map(|name| {
            exchange.record.principal = Some(name.to_owned());
            exchange.attributes.set("auth.principal", Value::Text(name.to_owned()));
            Flow::Proceed
        }))
    }
}

impl ApiKey {
    /// A stage that knows these keys.
    pub fn new(config: &ApiKeyConfig, keys: Vec<ApiKeyEntry>) -> Self {
        let sources = config.sources.iter().filter_map(Source::new).collect();
        let keys = keys
            .into_iter()
            .map(|entry| {
                (
                    entry.sha256,
                    Key {
                        name: entry.name,
                        enabled: entry.enabled,
                    },
                )
            })
            .collect();
        Self { keys, sources }
    }

    /// The name of the key that the request has.
    fn check(&self, request: &Request) -> Result<&str, Problem> {
        let Some((source, key)) = self
            .sources
            .iter()
            .find_map(|source| Some((source, source.read(request)?)))
        else {
            return Err(self.unauthorized("no API key"));
        };
        let known = (key.len() <= MAX_KEY_BYTES)
            .then(|| self.keys.get(&Sha256::digest(&key)[..]))
            .flatten();
        match known {
            Some(key) if key.enabled => Ok(&key.name),
            // Credentials of an authentication scheme that prove nothing are answered like none (RFC 9110, 15.5.2).
            _ if source.scheme().is_some() => Err(self.unauthorized("unknown or disabled API key")),
            _ => Err(Problem::new(ProblemKind::InvalidApiKey).with_cause("unknown or disabled API key")),
        }
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

impl Source {
    /// None for a name that is no header name; the configuration has refused such.
    fn new(config: &ApiKeySource) -> Option<Self> {
        Some(match config {
            ApiKeySource::Header { name, scheme } => Self::Header {
                name: HeaderName::from_bytes(name.as_bytes()).ok()?,
                scheme: scheme.clone(),
            },
            ApiKeySource::Query(name) => Self::Query(name.clone()),
        })
    }

    fn scheme(&self) -> Option<&str> {
        match self {
            Self::Header { scheme, .. } => scheme.as_deref(),
            Self::Query(_) => None,
        }
    }

    /// The key that the request has here. Two values are none: whoever is behind might take the other one.
    fn read(&self, request: &Request) -> Option<Vec<u8>> {
        match self {
            Self::Header { name, scheme } => {
                let mut values = request.headers.get_all(name).iter();
                let value = values.next()?.as_bytes();
                if values.next().is_some() {
                    return None;
                }
                match scheme {
                    Some(scheme) => credentials(value, scheme).map(<[u8]>::to_vec),
                    None => Some(value.to_vec()),
                }
            }
            Self::Query(name) => read_query(request.query()?, name),
        }
    }
}

/// What follows the scheme and a space; schemes are compared without case (RFC 9110, section 11.1).
fn credentials<'v>(value: &'v [u8], scheme: &str) -> Option<&'v [u8]> {
    let (found, rest) = value.split_at_checked(scheme.len())?;
    if !found.eq_ignore_ascii_case(scheme.as_bytes()) || !rest.starts_with(b" ") {
        return None;
    }
    Some(rest.trim_ascii())
}

fn read_query(query: &str, name: &str) -> Option<Vec<u8>> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        percent_decode_str(key)
            .eq(name.bytes())
            .then(|| percent_decode_str(value).collect())
    });
    let value = values.next();
    if values.next().is_some() { None } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method, Version};

    fn stage(sources: Vec<ApiKeySource>) -> ApiKey {
        let entry = |name: &str, key: &str, enabled| ApiKeyEntry {
            name: name.to_owned(),
            sha256: Sha256::digest(key).into(),
            enabled,
        };
        let config = ApiKeyConfig {
            keys: "keys.toml".into(),
            sources,
        };
        ApiKey::new(
            &config,
            vec![entry("partner", "k-1", true), entry("former", "k-2", false)],
        )
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
            headers,
        }
    }

    fn verdict(stage: &ApiKey, request: &Request) -> Result<String, u16> {
        stage
            .check(request)
            .map(str::to_owned)
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
            let problem = stage.check(&request).unwrap_err();
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
}
