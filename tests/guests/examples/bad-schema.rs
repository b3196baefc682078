//! P17. Its configuration schema is JSON, but not a schema. Expected: not loaded, the error says what is wrong with the
//! schema.

use gatewright_sdk::prelude::*;

struct BadSchema;

impl Plugin for BadSchema {
    fn info() -> Info {
        info!().config_schema(r#"{"type":"no such type","properties":7}"#)
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for BadSchema {
    fn authorize(&self, _request: &AuthorizeRequest) -> Result<Decision, Fault> {
        Ok(Decision::Abstain)
    }
}

plugin!(BadSchema: authorizer);
