//! An integration: the plugin is the upstream, and greets.

use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Greeter {
    greeting: String,
}

impl Plugin for Greeter {
    fn info() -> Info {
        info!().parts([Part::Query])
            .config_schema(include_str!("../config.schema.json"))
            .reuse(Reuse::Serial)
    }
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config)
    }
}

impl Integration for Greeter {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        Ok(match request.query_value("name") {
            Some(name) => Response::new(200).text(format!("{}, {name}!\n", self.greeting)),
            None => Response::new(400).text("`name` is not there\n"),
        })
    }
}

plugin!(Greeter: integration);

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_sdk::testing::{self, TestRequest};

    #[test]
    fn who_has_a_name_is_greeted() {
        let plugin: Greeter = testing::configure(r#"{"greeting":"Hello"}"#);
        let greeted = TestRequest::get("/?name=Ada")
            .handle(&plugin)
            .map(|response| response.body);
        assert_eq!(greeted, Ok(b"Hello, Ada!\n".to_vec()));
        assert_eq!(
            TestRequest::get("/")
                .handle(&plugin)
                .map(|response| response.status),
            Ok(400)
        );
    }
}
