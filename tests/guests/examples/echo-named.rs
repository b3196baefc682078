//! Well behaved: an integration that asks for two header fields and answers with those it sees, as a JSON list of name and
//! value. Expected: it sees these, as often as they were sent, and no other.

use gatewright_sdk::prelude::*;
use serde_json::{Value as Json, json};

struct EchoNamed;

impl Plugin for EchoNamed {
    fn info() -> Info {
        Info::new("echo-named", "1.0.0").request_fields(["X-First", "x-second"])
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Integration for EchoNamed {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let seen: Vec<Json> = request
            .fields
            .iter()
            .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
            .collect();
        Response::new(200).json(&seen)
    }
}

plugin!(EchoNamed: integration);
