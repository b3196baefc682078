//! Well behaved: an authorizer that decides by its first identity source, or without one by the header field `x-key`. Each
//! decision has a number of its own, so that a decision that is used again shows it.
//!
//! Keys: `deny`, `401`, `ok-denial` (with the status of a success), `abstain`, `fault`, `trap`, `ttl:<ms>` (a grant that may
//! be reused that long), `deny-ttl:<ms>`, `principal:<text>`, `policy` (covers `GET /open/*` but `/open/secret`); everything
//! else is granted. Grants put the number into the upstream header `x-decision-number`, denials into the header of that
//! name. What it saw besides the key is in the grant's context, and what a context must not say too.

use std::time::Duration;

use gatewright_sdk::prelude::*;
use gatewright_sdk::{Effect, FieldEdit, Statement, random};

struct Decides;

impl Plugin for Decides {
    fn info() -> Info {
        // Names of fields have no case.
        Info::new("decides", "1.0.0")
            .parts([Part::Authority])
            .request_fields(["X-Key"])
            .service(Service::Random)
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for Decides {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let number = random::number().to_string();
        let key = request.identity(0).or_else(|| request.header("x-key"));
        let key = key.unwrap_or_default();
        let (key, rest) = key.split_once(':').unwrap_or((key, ""));
        let ttl = rest.parse().ok().map(Duration::from_millis);
        let denial = |status, reason| {
            Denial::new(
                Response::new(status).header("x-decision-number", number.as_str()),
                reason,
            )
        };
        let grant = Grant {
            ttl,
            ..grant(format!("holder of {key}"), request, &number)
        };
        Ok(match key {
            "deny" => denial(403, "asked to deny").into(),
            "deny-ttl" => Denial {
                ttl,
                ..denial(403, "asked to deny")
            }
            .into(),
            "401" => denial(401, "asked who it is").into(),
            "ok-denial" => denial(200, "asked to deny with a success").into(),
            "abstain" => Decision::Abstain,
            "fault" => return Err(Fault::Unavailable("asked to be unavailable".to_owned())),
            "trap" => panic!("asked to panic"),
            "principal" => Grant {
                principal: rest.to_owned(),
                ..grant
            }
            .into(),
            "policy" => {
                let policy = vec![
                    statement(Effect::Allow, "GET", "/open/*"),
                    statement(Effect::Deny, "*", "/open/secret"),
                ];
                Grant { policy, ..grant }.into()
            }
            _ => grant.into(),
        })
    }
}

fn grant(principal: String, request: &AuthorizeRequest, number: &str) -> Grant {
    Grant::to(principal)
        .context("authority", request.authority.clone().unwrap_or_default())
        .context("unasked", unasked(request))
        .context("principal", "mallory")
        .context("authorizer", "mallory")
        .scope("read")
        .scope("write")
        .upstream_edit(FieldEdit::Set("x-decision-number".to_owned(), number.into()))
}

/// How many parts there are that this guest did not ask for.
fn unasked(request: &AuthorizeRequest) -> i64 {
    let exchange = &request.exchange;
    let parts = [
        request.method.is_some(),
        request.path.is_some(),
        request.query.is_some(),
        request.parameters.is_some(),
        exchange.route.is_some(),
        exchange.peer.is_some(),
        exchange.attributes.is_some(),
        exchange.trace_parent.is_some(),
    ];
    parts.into_iter().filter(|there| *there).count() as i64
}

fn statement(effect: Effect, method: &str, path: &str) -> Statement {
    Statement {
        effect,
        methods: vec![method.to_owned()],
        paths: vec![path.to_owned()],
    }
}

plugin!(Decides: authorizer);
