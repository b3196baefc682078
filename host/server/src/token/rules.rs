//! What a token must say for a request to pass, and what a client is told of one that does not (RFC 6750, section 3).

use gatewright_config::TokenRules;
use gatewright_core::{Problem, ProblemKind};
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::Value;

use super::claims::Claims;

/// What is asked of tokens.
pub struct Rules {
    config: TokenRules,
    /// Whether nobody but the token says who issued it, and when it expires: both must be said then.
    says_all: bool,
    insufficient: HeaderValue,
}

/// Why a token does not let a request pass, for the log.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("no token")]
    Missing,
    /// It proves nothing.
    #[error("the token is refused: {0}")]
    Invalid(String),
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It is not good yet.
    #[error("the token is not good yet (`nbf`, `iat`)")]
    Early,
    /// It has none of the scopes.
    #[error("the token has none of the scopes")]
    Scope,
    /// A claim is not as it should be.
    #[error("the claim `{0}` of the token is not as it should be")]
    Claim(String),
}

impl Refusal {
    /// It proves nothing.
    pub fn invalid(reason: &str) -> Self {
        Self::Invalid(reason.to_owned())
    }
}

/// What stands for the tenant in the name of an issuer.
const TENANT: &str = "{tenantid}";

impl Rules {
    /// These rules. `says_all` is whether nobody but the token says who issued it, and when it expires.
    #[must_use]
    pub fn new(config: &TokenRules, says_all: bool) -> Self {
        let scopes = config.scopes.join(" ");
        let insufficient = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
        Self {
            config: config.clone(),
            says_all,
            // The configuration lets in only scopes that can be in a header field.
            insufficient: HeaderValue::try_from(insufficient)
                .unwrap_or(HeaderValue::from_static("Bearer error=\"insufficient_scope\"")),
        }
    }

    /// Who the client is, if the token lets it pass. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, claims: &Claims, now: f64) -> Result<String, Refusal> {
        self.check_times(claims, now)?;
        self.check_content(claims)
    }

    /// Who the client is, if what is said of it lets it pass, whenever that was said.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_content(&self, claims: &Claims) -> Result<String, Refusal> {
        let rules = &self.config;
        if let Some(issuer) = &rules.issuer
            && (self.says_all || claims.get("iss").is_some())
            && !is_by(issuer, claims)
        {
            return Err(Refusal::invalid("its issuer (`iss`) is another"));
        }
        if let Some(audiences) = &rules.audiences
            && !is_for(claims, audiences)
        {
            return Err(Refusal::invalid("it is for somebody else (`aud`, `client_id`)"));
        }
        let principal = match rules.principals.iter().find_map(|name| claims.get(name)) {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => {
                let reason = format!(
                    "it does not say who the client is (`{}`)",
                    rules.principals.join("`, `")
                );
                return Err(Refusal::Invalid(reason));
            }
        };
        if !rules.scopes.is_empty() {
            let scopes = claims.scopes().unwrap_or_default();
            let mut scopes = scopes.split(' ');
            if !scopes.any(|scope| rules.scopes.iter().any(|wanted| wanted == scope)) {
                return Err(Refusal::Scope);
            }
        }
        let wrong = rules
            .claims
            .iter()
            .find(|(name, wanted)| !has(claims.get(name), wanted));
        match wrong {
            Some((name, _)) => Err(Refusal::Claim(name.clone())),
            None => Ok(principal),
        }
    }

    fn check_times(&self, claims: &Claims, now: f64) -> Result<(), Refusal> {
        let leeway = self.config.leeway.as_secs_f64();
        match claims.expires {
            Some(expires) if now >= expires + leeway => return Err(Refusal::Expired),
            None if self.says_all => return Err(Refusal::invalid("it does not say when it expires (`exp`)")),
            _ => {}
        }
        let begins = [claims.not_before, claims.issued].into_iter().flatten();
        match begins.into_iter().any(|begin| begin > now + leeway) {
            true => Err(Refusal::Early),
            false => Ok(()),
        }
    }

    /// What the client gets.
    #[must_use]
    pub fn problem(&self, refusal: &Refusal) -> Problem {
        let unauthorized = |challenge: &'static str| {
            Problem::new(ProblemKind::Unauthorized).with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
        };
        let problem = match refusal {
            Refusal::Missing => unauthorized("Bearer realm=\"api\""),
            Refusal::Invalid(_) => unauthorized("Bearer error=\"invalid_token\""),
            Refusal::Expired => {
                unauthorized("Bearer error=\"invalid_token\", error_description=\"the token has expired\"")
            }
            Refusal::Early => {
                unauthorized("Bearer error=\"invalid_token\", error_description=\"the token is not good yet\"")
            }
            Refusal::Scope => {
                Problem::new(ProblemKind::AccessDenied).with_header(WWW_AUTHENTICATE, self.insufficient.clone())
            }
            Refusal::Claim(_) => Problem::new(ProblemKind::AccessDenied),
        };
        problem.with_cause(refusal)
    }
}

/// Whether an issuer has that name. `{tenantid}` in it stands for any tenant, as in the metadata of Microsoft Entra's
/// `/organizations` and `/common`.
#[must_use]
pub fn is_named(issuer: &str, name: &str) -> bool {
    match issuer.split_once(TENANT) {
        None => issuer == name,
        Some(_) => tenant(issuer, name).is_some(),
    }
}

/// Whether a token is an issuer's, and of the tenant that it says itself (`tid`).
fn is_by(issuer: &str, claims: &Claims) -> bool {
    let Some(name) = claims.text("iss") else { return false };
    match issuer.contains(TENANT) {
        false => issuer == name,
        true => tenant(issuer, name).is_some_and(|tenant| claims.text("tid") == Some(tenant)),
    }
}

/// The tenant in the name of an issuer: a word, so that it cannot lead into another path or host.
fn tenant<'n>(issuer: &str, name: &'n str) -> Option<&'n str> {
    let (before, after) = issuer.split_once(TENANT)?;
    let tenant = name.strip_prefix(before)?.strip_suffix(after)?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!tenant.is_empty() && tenant.bytes().all(is_word)).then_some(tenant)
}

/// Access tokens of some issuers have no `aud`, but say which client they were issued to.
fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let is_one = |name: &str| audiences.iter().any(|audience| audience == name);
    match claims.get("aud") {
        Some(Value::String(name)) => is_one(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is_one),
        Some(_) => false,
        None => claims.text("client_id").is_some_and(is_one),
    }
}

/// Whether a claim is one of the values, or a list that has one of them.
fn has(claim: Option<&Value>, wanted: &[Value]) -> bool {
    match claim {
        Some(Value::Array(values)) => values.iter().any(|value| wanted.contains(value)),
        Some(value) => wanted.contains(value),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn rules() -> TokenRules {
        TokenRules {
            issuer: Some("https://idp".to_owned()),
            audiences: Some(vec!["api".to_owned(), "other".to_owned()]),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            claims: vec![
                ("tenant".to_owned(), vec![json!("a"), json!("b")]),
                ("realm.roles".to_owned(), vec![json!("admin")]),
            ],
            principals: vec!["sub".to_owned()],
            leeway: Duration::from_secs(30),
        }
    }

    /// What becomes of a good token with these claims instead of its own; null takes one away.
    fn verdict(changes: &Value) -> String {
        let mut claims = json!({
            "iss": "https://idp", "aud": "api", "sub": "u", "scope": "x read", "tenant": "a", "exp": 1000, "nbf": 900, "iat": 900,
            "realm": { "roles": ["user", "admin"] },
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        let claims = match Claims::new(claims.as_object().unwrap().clone()) {
            Ok(claims) => claims,
            Err(reason) => return reason.to_owned(),
        };
        let rules = Rules::new(&rules(), true);
        match rules.check(&claims, 950.0) {
            Ok(principal) => principal,
            Err(refusal) => {
                let problem = rules.problem(&refusal);
                let challenge = problem
                    .headers()
                    .first()
                    .map_or("", |(_, value)| value.to_str().unwrap());
                format!("{} {challenge}", problem.status().as_u16())
            }
        }
    }

    #[test]
    fn a_good_token_says_who_comes() {
        for changes in [
            json!({}),
            json!({ "aud": ["x", "other"] }),
            json!({ "aud": null, "client_id": "api" }),
            json!({ "scope": null, "scp": ["write"] }),
            json!({ "scope": null, "scp": "write" }),
            json!({ "tenant": ["x", "b"] }),
            json!({ "exp": 921 }),
            json!({ "exp": 950.5 }),
            json!({ "nbf": 980, "iat": 980 }),
            json!({ "nbf": null, "iat": null }),
            json!({ "realm": null, "realm.roles": "admin" }),
        ] {
            assert_eq!(verdict(&changes), "u", "{changes}");
        }
        assert_eq!(verdict(&json!({ "sub": 7 })), "7");
    }

    #[test]
    fn a_token_that_proves_nothing_is_401() {
        let invalid = "401 Bearer error=\"invalid_token\"";
        for changes in [
            json!({ "iss": "https://idp/" }),
            json!({ "iss": null }),
            json!({ "aud": "someone" }),
            json!({ "aud": null }),
            json!({ "aud": [] }),
            json!({ "aud": 1, "client_id": "api" }),
            json!({ "aud": null, "client_id": ["api"] }),
            json!({ "sub": null }),
            json!({ "sub": "" }),
            json!({ "sub": ["u"] }),
            json!({ "exp": null }),
        ] {
            assert_eq!(verdict(&changes), invalid, "{changes}");
        }
        for changes in [json!({ "exp": "1000" }), json!({ "nbf": "1" }), json!({ "iat": true })] {
            assert!(verdict(&changes).ends_with("not a time"), "{changes}");
        }
        assert!(verdict(&json!({ "exp": 920 })).ends_with("expired\""));
        assert!(verdict(&json!({ "nbf": 981 })).ends_with("yet\""));
        assert!(verdict(&json!({ "iat": 981 })).ends_with("yet\""));
    }

    #[test]
    fn a_client_that_may_not_is_403_and_is_told_which_scopes_it_would_need() {
        let scope = "403 Bearer error=\"insufficient_scope\", scope=\"read write\"";
        for changes in [
            json!({ "scope": "reader" }),
            json!({ "scope": null }),
            json!({ "scope": 1 }),
            json!({ "scope": "", "scp": "read" }),
        ] {
            assert_eq!(verdict(&changes), scope, "{changes}");
        }
        for changes in [
            json!({ "tenant": "c" }),
            json!({ "tenant": null }),
            json!({ "realm": { "roles": [] } }),
            json!({ "realm": "admin" }),
        ] {
            assert_eq!(verdict(&changes), "403 ", "{changes}");
        }
    }
}
