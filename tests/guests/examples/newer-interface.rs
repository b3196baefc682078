//! P17. Built against a newer track of the interface, `gatewright:plugin@0.2.0` (in `wit-next/`). Expected: not loaded, the
//! error says which version the plugin has and which the gateway has.

mod bindings {
    wit_bindgen::generate!({ path: "wit-next", world: "authorizer-plugin" });
}

use bindings::exports::gatewright::plugin::authorizer::{self, *};
use bindings::exports::gatewright::plugin::lifecycle::{self, *};
use bindings::gatewright::plugin::log;

struct Newer;

impl lifecycle::Guest for Newer {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "newer-interface".to_owned(),
            version: "1.0.0".to_owned(),
            homepage: None,
        }
    }

    fn configure(_config: String) -> Result<(), Vec<ConfigError>> {
        log::write(log::Level::Info, "configured", &[]);
        Ok(())
    }
}

impl authorizer::Guest for Newer {
    fn authorize(_input: AuthorizeInput) -> Result<Decision, Fault> {
        Ok(Decision::Abstain)
    }
}

bindings::export!(Newer with_types_in bindings);
