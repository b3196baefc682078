//! Well behaved: says what it was given. Expected: where rules keep a body from it, it is given none, and the body streams past.
//!
//! Request and response: the field `x-given` says `body` or `none`; a response's body that it was given gets the prefix
//! `response:`.

use gatewright_sdk::prelude::*;

struct Given;

impl Plugin for Given {
    fn info() -> Info {
        misbehaving_guests::about("given")
            .request_body(BodyMode::Buffered)
            .response_body(BodyMode::Buffered)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

fn said(body: Option<&[u8]>) -> &'static str {
    if body.is_some() { "body" } else { "none" }
}

impl RequestTransform for Given {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let edits = RequestEdits::new();
        Ok(edits.set_header("x-given", said(request.body.as_deref())).into())
    }
}

impl ResponseTransform for Given {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let edits = ResponseEdits::new().set_header("x-given", said(response.body.as_deref()));
        Ok(match &response.body {
            Some(body) => edits.body([b"response:", &body[..]].concat()),
            None => edits,
        }
        .into())
    }
}

plugin!(Given: request_transform | response_transform);
