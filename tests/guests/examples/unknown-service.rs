//! P17. Says that it uses a service no gateway has, `teleport`. Expected: not loaded, the error names the service and those
//! that there are.

mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "integration-plugin" });
}

use bindings::exports::gatewright::plugin::integration::{self, *};
use bindings::exports::gatewright::plugin::lifecycle::{self, *};

struct UnknownService;

impl lifecycle::Guest for UnknownService {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "unknown-service".to_owned(),
            version: "1.0.0".to_owned(),
            description: "misbehaves".to_owned(),
            config_schema: None,
            needs: Needs {
                parts: Part::empty(),
                request_fields: FieldSelection::None,
                response_fields: FieldSelection::None,
                request_body: BodyMode::None,
                response_body: BodyMode::None,
            },
            services: vec!["clock".to_owned(), "teleport".to_owned()],
            reuse: Reuse::Fresh,
        }
    }

    fn configure(_config: String) -> Result<(), Vec<ConfigError>> {
        Ok(())
    }
}

impl integration::Guest for UnknownService {
    fn handle(_input: IntegrationInput) -> Result<FullResponse, Fault> {
        Err(Fault::Internal("teleported".to_owned()))
    }
}

bindings::export!(UnknownService with_types_in bindings);
