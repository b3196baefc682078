//! Decides by the first identity source: `deny`, `401`, `ok-denial`, `abstain`, `policy`, `ttl:<ms>`, `principal:<text>`,
//! `fault`; anything else is allowed. What it saw is in the grant's context.

use std::time::Duration;

use gatewright_sdk::prelude::*;
use gatewright_sdk::{Effect, FieldEdit, Statement};

struct Decides;

impl Plugin for Decides {
    fn info() -> Info {
        Info::new("decides", "1.2.3").request_fields(FieldSelection::Named(vec!["X-Key".to_owned()]))
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for Decides {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let key = request.identity(0).unwrap_or_default();
        let mut grant = Grant::to("alice")
            .context("query", request.query.clone().unwrap_or_default())
            .context("address", request.exchange.peer.address.clone())
            .context("authority", request.authority.clone())
            .context("attributes", request.exchange.attributes.len() as i64)
            .context("principal", "mallory")
            .context("authorizer", "mallory")
            .scope("read")
            .scope("write")
            .upstream_edit(FieldEdit::Set("x-tenant".to_owned(), b"blue".to_vec()));
        match key.split_once(':').unwrap_or((key, "")) {
            ("deny", _) => return Ok(Denial::forbidden("said so\n").into()),
            ("401", _) => return Ok(Denial::new(Response::new(401), "who are you").into()),
            ("ok-denial", _) => return Ok(Denial::new(Response::new(200), "a denial that looks like a yes").into()),
            ("abstain", _) => return Ok(Decision::Abstain),
            ("fault", _) => return Err(Fault::Unavailable("not now".to_owned())),
            ("policy", _) => {
                grant.policy = vec![
                    statement(Effect::Allow, "GET", "/a*"),
                    statement(Effect::Deny, "*", "/a/secret"),
                ];
            }
            ("ttl", ms) => grant.ttl = Some(Duration::from_millis(ms.parse().unwrap_or_default())),
            ("principal", text) => grant.principal = text.to_owned(),
            _ => {}
        }
        Ok(grant.into())
    }
}

fn statement(effect: Effect, method: &str, path: &str) -> Statement {
    Statement { effect, methods: vec![method.to_owned()], paths: vec![path.to_owned()] }
}

plugin!(Decides: authorizer);
