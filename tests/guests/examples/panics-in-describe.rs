//! P17. Traps in `describe`. Expected: not loaded, the error names the trap; what served before goes on.

use gatewright_sdk::prelude::*;

struct Panics;

impl Plugin for Panics {
    fn info() -> Info {
        panic!("this plugin does not know what it is")
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for Panics {
    fn authorize(&self, _request: &AuthorizeRequest) -> Result<Decision, Fault> {
        Ok(Decision::Abstain)
    }
}

plugin!(Panics: authorizer);
