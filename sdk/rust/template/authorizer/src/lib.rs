//! An authorizer: whoever knows the word may pass.

use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Config {
    word: String,
}

struct Authorize(Config);

impl Plugin for Authorize {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .request_fields(["authorization"])
            .reuse(Reuse::Serial)
    }
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config).map(Self)
    }
}

impl Authorizer for Authorize {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        let said = request
            .header("authorization")
            .and_then(|said| said.strip_prefix("Bearer "));
        Ok(match said {
            Some(word) if same(word, &self.0.word) => Grant::to("friend").into(),
            _ => Denial::unauthorized("Bearer", "wrong word").into(),
        })
    }
}

/// Takes as long for a wrong word as for the right one.
fn same(word: &str, other: &str) -> bool {
    let difference = word
        .bytes()
        .zip(other.bytes())
        .fold(0, |found, (a, b)| found | (a ^ b));
    word.len() == other.len() && difference == 0
}

plugin!(Authorize: authorizer);

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_sdk::testing::{self, TestRequest};

    #[test]
    fn who_knows_the_word_may_pass_and_nobody_else() {
        let plugin: Authorize = testing::configure(r#"{"word":"sesame"}"#);
        let ask = |said| {
            TestRequest::get("/")
                .header("authorization", said)
                .authorize(&plugin)
        };
        assert!(matches!(ask("Bearer sesame"), Ok(Decision::Allow(_))));
        assert!(matches!(ask("Bearer open"), Ok(Decision::Deny(_))));
    }
}
