//! P17. Imports an interface no gateway has, `acme:warehouse/stock@1.0.0`. Expected: not loaded, the error names the import.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package acme:warehouse@1.0.0;
            interface stock { left: func(article: string) -> u32; }
            world guest {
                import stock;
                include gatewright:plugin/authorizer-plugin@0.1.0;
            }
        ",
        generate_all,
    });
}

use bindings::exports::gatewright::plugin::authorizer::{self, *};
use bindings::exports::gatewright::plugin::lifecycle::{self, *};

struct UnknownImport;

impl lifecycle::Guest for UnknownImport {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "unknown-import".to_owned(),
            version: "1.0.0".to_owned(),
            description: format!("{} left", bindings::acme::warehouse::stock::left("screws")),
            config_schema: None,
            needs: Needs {
                parts: Part::empty(),
                request_fields: FieldSelection::None,
                response_fields: FieldSelection::None,
                request_body: BodyMode::None,
                response_body: BodyMode::None,
            },
            services: Vec::new(),
            reuse: Reuse::Fresh,
        }
    }

    fn configure(_config: String) -> Result<(), Vec<ConfigError>> {
        Ok(())
    }
}

impl authorizer::Guest for UnknownImport {
    fn authorize(_input: AuthorizeInput) -> Result<Decision, Fault> {
        Ok(Decision::Abstain)
    }
}

bindings::export!(UnknownImport with_types_in bindings);
