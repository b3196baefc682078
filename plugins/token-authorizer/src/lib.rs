//! An authorizer that verifies a signed token (JWT, HS256) and hands on who it is about. This file tells the story;
//! `token.rs` is about the signature, `claims.rs` about what was signed, `settings.rs` about the configuration.

mod claims;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use std::time::Duration;

use claims::Claims;
use gatewright_sdk::prelude::*;
use settings::Settings;

struct TokenAuthorizer {
    settings: Settings,
}

impl Plugin for TokenAuthorizer {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .request_fields(["authorization"])
            .service(Service::Clock)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self {
            settings: settings::read(config)?,
        })
    }
}

impl Authorizer for TokenAuthorizer {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let now = clock::unix();
        Ok(match self.check(request, now) {
            Ok(claims) => self.grant(&claims, now).into(),
            Err(refusal) => refusal.denial().into(),
        })
    }
}

impl TokenAuthorizer {
    fn check(&self, request: &AuthorizeRequest, now: Duration) -> Result<Claims, Refusal> {
        let token = presented(request)?;
        let signed = token::verify(token, self.settings.secret.as_bytes())?;
        claims::check(&signed, &self.settings, now)
    }

    fn grant(&self, claims: &Claims, now: Duration) -> Grant {
        let mut grant = Grant::to(&claims.subject).ttl(claims.expires.saturating_sub(now));
        for name in &self.settings.context {
            if let Some(value) = claims.value(name) {
                grant = grant.context(name, value);
            }
        }
        claims.scopes().fold(grant, Grant::scope)
    }
}

/// Why a request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// There is no token at all: ask for one.
    Missing,
    /// There is one, and it will never do.
    Invalid(&'static str),
    /// It will do later.
    Early,
}

impl Refusal {
    /// RFC 6750: no error code when nothing was presented; and what exactly is wrong with a token is for the log.
    fn denial(self) -> Denial {
        match self {
            Self::Missing => Denial::unauthorized("Bearer", "no token"),
            Self::Invalid(reason) => Denial::unauthorized(r#"Bearer error="invalid_token""#, reason),
            Self::Early => Denial::unauthorized(r#"Bearer error="invalid_token""#, "not valid yet").ttl(Duration::ZERO),
        }
    }
}

/// The token: from the route's first identity source, or from `authorization` when the route names none.
fn presented(request: &AuthorizeRequest) -> Result<&str, Refusal> {
    if request.identity.is_empty() {
        let mut values = request.headers_all("authorization");
        return match (values.next(), values.next()) {
            (None, _) => Err(Refusal::Missing),
            (Some(_), Some(_)) => Err(Refusal::Invalid("more than one authorization header")),
            (Some(value), None) => str::from_utf8(value).ok().and_then(bearer).ok_or(Refusal::Missing),
        };
    }
    let value = request.identity(0).ok_or(Refusal::Missing)?;
    match bearer(value) {
        Some(token) => Ok(token),
        // A cookie or a query parameter holds the bare token; another scheme is not for us.
        None if !value.contains(' ') => Ok(value),
        None => Err(Refusal::Missing),
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

plugin!(TokenAuthorizer: authorizer);
