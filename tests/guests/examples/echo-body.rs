//! Well behaved: an integration that answers with the body it got, and its `content-type`.

use gatewright_sdk::prelude::*;

struct EchoBody;

impl Plugin for EchoBody {
    fn info() -> Info {
        misbehaving_guests::about("echo-body").request_body(BodyMode::Buffered)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Integration for EchoBody {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let content_type = request
            .header_bytes("content-type")
            .unwrap_or(b"application/octet-stream");
        Ok(Response::new(200)
            .header("content-type", content_type)
            .body(request.body.as_slice()))
    }
}

plugin!(EchoBody: integration);
