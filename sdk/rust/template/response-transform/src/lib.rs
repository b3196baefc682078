//! A response transform: tags responses on their way to the client.

use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Tag {
    tag: String,
}

impl Plugin for Tag {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .reuse(Reuse::Serial)
    }
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config)
    }
}

impl ResponseTransform for Tag {
    fn transform_response(&self, _: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let edits = ResponseEdits::new().set_header("x-tag", self.tag.as_str());
        Ok(edits.remove_header("server").into())
    }
}

plugin!(Tag: response_transform);

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_sdk::FieldEdit;
    use gatewright_sdk::testing::{self, TestResponse};

    #[test]
    fn a_response_is_tagged() {
        let plugin: Tag = testing::configure(r#"{"tag":"blue"}"#);
        let tagged = TestResponse::new(200).transform(&plugin);
        let set = FieldEdit::Set("x-tag".to_owned(), b"blue".to_vec());
        assert!(
            matches!(tagged, Ok(ResponseOutcome::Proceed(edits)) if edits.fields.contains(&set))
        );
    }
}
