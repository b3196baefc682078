//! Well behaved: an authorizer that reads one header field, `x-key`, and decides by it. Each decision has a number of its
//! own, so that a decision that is used again shows it.
//!
//! Keys: `deny`, `abstain`, `fault`, `trap`, `ttl:<ms>` (a grant that may be reused that long), `deny-ttl:<ms>`, `policy`
//! (covers `GET /open/*` but `/open/secret`); everything else is granted. Grants put the number into the upstream header
//! `x-decision-number`, denials into the header of that name.

use std::time::Duration;

use gatewright_sdk::prelude::*;
use gatewright_sdk::{Effect, FieldEdit, Statement, random};

struct Decides;

impl Plugin for Decides {
    fn info() -> Info {
        Info::new("decides", "1.0.0")
            .request_fields(["x-key"])
            .service(Service::Random)
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for Decides {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let number = random::number().to_string();
        let key = request.header("x-key").unwrap_or_default();
        let (key, ms) = key.split_once(':').unwrap_or((key, ""));
        let ttl = ms.parse().ok().map(Duration::from_millis);
        let denial = Denial::new(
            Response::new(403).header("x-decision-number", number.as_str()),
            "asked to deny",
        );
        let edit = FieldEdit::Set("x-decision-number".to_owned(), number.into());
        let grant = Grant {
            ttl,
            ..Grant::to(format!("holder of {key}")).upstream_edit(edit)
        };
        Ok(match key {
            "deny" => denial.into(),
            "deny-ttl" => Denial { ttl, ..denial }.into(),
            "abstain" => Decision::Abstain,
            "fault" => return Err(Fault::Unavailable("asked to be unavailable".to_owned())),
            "trap" => panic!("asked to panic"),
            "policy" => {
                let statement = |effect, method: &str, path: &str| Statement {
                    effect,
                    methods: vec![method.to_owned()],
                    paths: vec![path.to_owned()],
                };
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

plugin!(Decides: authorizer);
