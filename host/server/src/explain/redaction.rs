//! What an explanation must not show: values of header fields, query parameters and attributes whose names say that they
//! are secret or that the configuration takes a key or an identity from, and secrets that are granted to plugins,
//! wherever they turn up.
//!
//! In their place is a mark. It is the same for the same value within a process, so that one sees whether a step has
//! changed it, and a keyed digest, so that nobody can find the value by trying.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

use gatewright_config::{
    ApiKeySource, ConcurrencyConfig, GatewayConfig, IdentitySource, LimitKey, QuotaConfig, StageKind, ThrottleConfig,
};
use gatewright_core::Request;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value as Json;
use sha2::Sha256;

/// Parts of names whose values nobody should see.
const SECRET: [&str; 18] = [
    "authorization",
    "authenticat",
    "x-auth",
    "cookie",
    "token",
    "secret",
    "passw",
    "credential",
    "session",
    "signature",
    "api-key",
    "apikey",
    "api_key",
    "usage_key",
    "jwt",
    "assertion",
    "otp",
    "csrf",
];
/// Names of parameters whose values open doors though their names do not say so.
const SECRET_PARAMETERS: [&str; 12] = [
    "code",
    "id_token_hint",
    "key",
    "login_hint",
    "nonce",
    "pass",
    "pin",
    "pwd",
    "samlrequest",
    "samlresponse",
    "sig",
    "state",
];
/// Secrets that are shorter turn up in texts that have nothing to do with them.
const SHORTEST_SECRET: usize = 6;

/// What must not be shown.
pub struct Redaction {
    names: BTreeSet<String>,
    secrets: Vec<String>,
    key: [u8; 8],
}

impl Redaction {
    /// For this configuration, and these secrets.
    pub fn new(config: &GatewayConfig, secrets: Vec<String>) -> Self {
        let mut names = BTreeSet::new();
        for stage in config.routes.iter().flat_map(|route| &route.chain) {
            match &stage.kind {
                StageKind::ApiKey(stage) => names.extend(stage.sources.iter().filter_map(|source| match source {
                    ApiKeySource::Header { name, .. } | ApiKeySource::Query(name) => Some(name.to_ascii_lowercase()),
                    ApiKeySource::Authorizer => None,
                })),
                StageKind::Jwt(stage) => names.extend(stage.carriers.names()),
                StageKind::Oauth2Introspection(stage) => names.extend(stage.carriers.names()),
                StageKind::LambdaAuthorizer(stage) => names.extend(identities(&stage.identity)),
                StageKind::Plugin(stage) => names.extend(identities(&stage.identity)),
                StageKind::Basic(_)
                | StageKind::Body(_)
                | StageKind::Cache(_)
                | StageKind::Compress(_)
                | StageKind::CorrelationId(_)
                | StageKind::Cors(_)
                | StageKind::Decompress(_)
                | StageKind::ForwardAuth(_)
                | StageKind::Headers(_)
                | StageKind::Ip(_)
                | StageKind::Mtls(_)
                | StageKind::OidcLogin(_)
                | StageKind::Policy(_)
                | StageKind::Redirect(_)
                | StageKind::RequestSize(_)
                | StageKind::Rewrite(_)
                | StageKind::SigV4(_)
                | StageKind::Shed(_)
                | StageKind::UsagePlan(_)
                | StageKind::Validate(_)
                | StageKind::Waf(_) => {}
                StageKind::Concurrency(ConcurrencyConfig { by, .. })
                | StageKind::Quota(QuotaConfig { by, .. })
                | StageKind::Throttle(ThrottleConfig { by, .. }) => {
                    if let LimitKey::Header(name) | LimitKey::Attribute(name) = by {
                        names.insert(name.to_ascii_lowercase());
                    }
                }
            }
        }
        Self {
            names,
            secrets: secrets
                .into_iter()
                .filter(|secret| secret.len() >= SHORTEST_SECRET)
                .collect(),
            key: random(),
        }
    }

    /// The same, and these names in lower case are secret too.
    #[must_use]
    pub fn hiding(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// The value of that name, or a mark in its place.
    pub fn value(&self, name: &str, value: &[u8]) -> String {
        match self.hides(name) {
            true => self.mark(value),
            false => String::from_utf8_lossy(value).into_owned(),
        }
    }

    /// The value of a header field, or a mark in its place. The query of a URL in it, as in `Referer`, has marks of its own.
    pub fn field(&self, name: &str, value: &[u8]) -> String {
        let value = self.value(name, value);
        match value.split_once('?') {
            Some((before, query)) => format!("{before}?{}", self.query(query)),
            None => value,
        }
    }

    /// Whether the value of that name is not to be shown.
    pub fn hides(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names.contains(&name) || SECRET.iter().any(|part| name.contains(part))
    }

    /// What a request sends as secrets, so that they are found where a plugin repeats them under another name.
    pub fn secrets_of(&self, request: &Request) -> Vec<String> {
        let fields = request.headers.iter().filter(|(name, _)| self.hides(name.as_str()));
        let fields = fields.filter_map(|(_, value)| value.to_str().ok());
        let pairs = request.query().unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        let pairs = pairs
            .filter(|(name, value)| self.hides_parameter(&decoded(name), value))
            .map(|(_, value)| value);
        let secrets = fields.chain(pairs).flat_map(|value| {
            // `Bearer SECRET`, `name=SECRET; other=SECRET`
            std::iter::once(value).chain(value.split([' ', ';', ',', '=']))
        });
        let secrets = secrets.filter(|secret| secret.len() >= SHORTEST_SECRET);
        secrets.map(str::to_owned).collect()
    }

    /// A query with marks in it.
    pub fn query(&self, query: &str) -> String {
        self.query_with(query, |value| self.mark(value.as_bytes()))
    }

    /// A query with something else in the place of values that are not shown. Pairs end at `&`, and for some servers at `;`.
    pub fn query_with(&self, query: &str, mark: impl Fn(&str) -> String) -> String {
        let mut shown = String::with_capacity(query.len());
        for piece in query.split_inclusive(['&', ';']) {
            let (pair, end) = match piece.strip_suffix(['&', ';']) {
                Some(pair) => (pair, piece.get(pair.len()..).unwrap_or_default()),
                None => (piece, ""),
            };
            match pair.split_once('=') {
                Some((name, value)) if self.hides_parameter(&decoded(name), value) => {
                    shown.push_str(name);
                    shown.push('=');
                    shown.push_str(&mark(value));
                }
                _ => shown.push_str(pair),
            }
            shown.push_str(end);
        }
        shown
    }

    /// Whether the value of a parameter is not to be shown: its name says so, or that of a parameter of the URL that it is
    /// (`return_to=https%3A%2F%2Fa%2F%3Ftoken%3Dx`).
    pub fn hides_parameter(&self, name: &str, value: &str) -> bool {
        let is_secret = |name: &str| SECRET_PARAMETERS.contains(&name) || self.hides(name);
        let inner = || {
            let value = decoded(&decoded(value)).to_ascii_lowercase();
            let mut names = value
                .split(['?', '&', ';', '#'])
                .filter_map(|pair| pair.split_once('='));
            names.any(|(name, _)| is_secret(name))
        };
        is_secret(&name.to_ascii_lowercase()) || inner()
    }

    /// Puts marks in the place of secrets, in every text of `shown`: of granted ones, and of these.
    pub fn conceal(&self, shown: &mut Json, secrets: &[String]) {
        match shown {
            Json::String(text) => {
                for secret in self.secrets.iter().chain(secrets) {
                    if text.contains(secret.as_str()) {
                        *text = text.replace(secret.as_str(), &self.mark(secret.as_bytes()));
                    }
                }
            }
            Json::Array(list) => list.iter_mut().for_each(|one| self.conceal(one, secrets)),
            Json::Object(map) => map.values_mut().for_each(|one| self.conceal(one, secrets)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    fn mark(&self, value: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return "[redacted]".to_owned();
        };
        mac.update(value);
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("[redacted {hex}]")
    }
}

fn identities(sources: &[IdentitySource]) -> impl Iterator<Item = String> {
    sources.iter().filter_map(|source| match source {
        IdentitySource::Header(name) | IdentitySource::Query(name) => Some(name.to_ascii_lowercase()),
        IdentitySource::Path(_) | IdentitySource::Client => None,
    })
}

/// A number that nobody can guess.
fn random() -> [u8; 8] {
    // The standard library seeds its hasher from the system's random numbers, and what it gives does not tell the seed.
    RandomState::new().hash_one("redaction").to_be_bytes()
}

/// A name as the one who reads it understands it.
fn decoded(name: &str) -> String {
    percent_encoding::percent_decode_str(name)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(secrets: &[&str]) -> Redaction {
        let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"a\"\npath = \"/a\"\n\
                    chain = [{ use = \"api-key\", keys = \"keys.toml\", header = \"x-partner\" }]\n\
                    integration = { respond = 200 }\n";
        let config = gatewright_config::parse(text, std::path::Path::new("gateway.toml")).unwrap();
        Redaction::new(&config, secrets.iter().map(|secret| (*secret).to_owned()).collect())
    }

    #[test]
    fn what_a_name_says_is_secret_is_a_mark_that_tells_whether_it_changed() {
        let redaction = redaction(&[]);
        for name in [
            "Authorization",
            "cookie",
            "set-cookie",
            "x-partner",
            "X-Api-Key",
            "auth.usage_key",
        ] {
            let mark = redaction.value(name, b"something");
            assert!(
                mark.starts_with("[redacted ") && !mark.contains("something"),
                "{name}: {mark}"
            );
            assert_eq!(mark, redaction.value(name, b"something"));
            assert_ne!(mark, redaction.value(name, b"something else"));
        }
        for name in ["accept", "x-forwarded-for", "auth.principal", "auth.authorizer"] {
            assert_eq!(redaction.value(name, b"something"), "something", "{name}");
        }
        let url = redaction.field("referer", b"https://a.example/b?code=x&c=1");
        assert!(
            url.starts_with("https://a.example/b?code=[redacted ") && url.ends_with("]&c=1"),
            "{url}"
        );
        let query = redaction.query("a=1&access%5Ftoken=x&b");
        assert!(
            query.starts_with("a=1&access%5Ftoken=[redacted ") && query.ends_with("]&b"),
            "{query}"
        );
    }

    #[test]
    fn a_secret_is_concealed_wherever_it_turns_up() {
        let redaction = redaction(&["granted secret", "short"]);
        let mut shown = serde_json::json!({ "x": ["key granted secret!", "short"], "y": "sent by client" });
        redaction.conceal(&mut shown, &["by client".to_owned()]);
        let text = shown.to_string();
        assert!(
            !text.contains("granted secret") && !text.contains("by client"),
            "{text}"
        );
        assert!(text.contains("short") && text.contains("key [redacted "), "{text}");
    }
}
