//! The first of P23, and well behaved: rewrites request and response, head and body. Expected: when the plugin after it
//! traps, nothing half rewritten reaches the upstream.
//!
//! Request: path gets the prefix `/rewritten`, header `x-rewritten: request`, the body the prefix `request:`; `x-remove` is
//! taken away. Response: header `x-rewritten: response`, the body the prefix `response:`.

use gatewright_sdk::prelude::*;

struct Rewrites;

impl Plugin for Rewrites {
    fn info() -> Info {
        misbehaving_guests::about("rewrites")
            .request_body(BodyMode::Buffered)
            .response_body(BodyMode::Buffered)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl RequestTransform for Rewrites {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let body = [b"request:", request.body.as_deref().unwrap_or_default()].concat();
        let edits = RequestEdits::new()
            .path(format!("/rewritten{}", request.path()?))
            .body(body);
        Ok(edits
            .set_header("x-rewritten", "request")
            .remove_header("x-remove")
            .attribute("rewritten", true)
            .into())
    }
}

impl ResponseTransform for Rewrites {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let body = [b"response:", response.body.as_deref().unwrap_or_default()].concat();
        Ok(ResponseEdits::new()
            .set_header("x-rewritten", "response")
            .body(body)
            .into())
    }
}

plugin!(Rewrites: request_transform | response_transform);
