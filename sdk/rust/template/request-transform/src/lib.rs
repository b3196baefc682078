//! A request transform: tags requests on their way to the upstream.

use gatewright_sdk::prelude::*;

#[derive(serde::Deserialize)]
struct Tag {
    tag: String,
}

impl Plugin for Tag {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .request_fields(["x-tag"])
            .reuse(Reuse::Serial)
    }
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::parse(config)
    }
}

impl RequestTransform for Tag {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        if request.header_bytes("x-tag").is_some() {
            return Ok(Response::new(400)
                .text("x-tag is not yours to send\n")
                .into());
        }
        Ok(RequestEdits::new()
            .set_header("x-tag", self.tag.as_str())
            .into())
    }
}

plugin!(Tag: request_transform);

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_sdk::testing::{self, TestRequest};

    #[test]
    fn a_request_is_tagged_and_a_forged_tag_refused() {
        let plugin: Tag = testing::configure(r#"{"tag":"blue"}"#);
        let tagged = TestRequest::get("/").transform(&plugin);
        assert!(matches!(tagged, Ok(RequestOutcome::Proceed(_))));
        let forged = TestRequest::get("/")
            .header("x-tag", "red")
            .transform(&plugin);
        assert!(matches!(forged, Ok(RequestOutcome::Respond(response)) if response.status == 400));
    }
}
