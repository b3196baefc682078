//! P2. Never comes back from `describe`. Expected: not loaded, refused at the deadline; what served before goes on.

use gatewright_sdk::prelude::*;

struct Loops;

impl Plugin for Loops {
    fn info() -> Info {
        loop {
            std::hint::spin_loop();
        }
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self)
    }
}

impl Authorizer for Loops {
    fn authorize(&self, _request: &AuthorizeRequest) -> Result<Decision, Fault> {
        Ok(Decision::Abstain)
    }
}

plugin!(Loops: authorizer);
