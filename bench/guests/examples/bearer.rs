//! An authorizer that lets one bearer key pass, and reads nothing else.

use gatewright_sdk::prelude::*;

struct Bearer;

impl Plugin for Bearer {
    fn info() -> Info {
        Info::new("bearer", "1.0.0")
            .request_fields(["authorization"])
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Authorizer for Bearer {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        Ok(match request.header("authorization") {
            Some("Bearer secret") => Grant::to("bench").into(),
            _ => Denial::unauthorized("Bearer", "wrong key").into(),
        })
    }
}

plugin!(Bearer: authorizer);
