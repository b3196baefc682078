//! A new version of the plugin in `shared/version.rs` that wants more than those before: outbound requests, and all header
//! fields; and that goes wrong when a request says so. What becomes of it is the lock file's, a canary's and a shadow's
//! business.
//!
//! Header `x-three`: `trap` panics, `slow` computes for 40 ms, `deny` denies whatever `x-decision` says, and anything else
//! works as the versions before. The integration's body is `v3`.

use std::time::Duration;

use gatewright_sdk::prelude::*;
use gatewright_sdk::{FieldEdit, RequestHead, clock};

const VERSION: &str = "v3";

struct Three;

/// What the request asks for.
fn misbehave(head: &RequestHead) {
    match head.header("x-three") {
        Some("trap") => panic!("asked to"),
        Some("slow") => {
            let end = clock::monotonic() + Duration::from_millis(40);
            while clock::monotonic() < end {
                std::hint::black_box(());
            }
        }
        _ => {}
    }
}

impl Plugin for Three {
    fn info() -> Info {
        Info::new("versioned", VERSION)
            .request_fields(FieldSelection::All)
            .service(Service::Metrics)
            .service(Service::Http)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Authorizer for Three {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        misbehave(request);
        let decision = match request.header("x-three") {
            Some("deny") => Some("deny"),
            _ => request.header("x-decision"),
        };
        Ok(match decision {
            Some("deny") => Denial::new(
                Response::new(403).header("x-authorizer-version", VERSION),
                "asked to deny",
            )
            .into(),
            Some("abstain") => Decision::Abstain,
            _ => {
                let edit = FieldEdit::Set("x-authorizer-version".to_owned(), VERSION.into());
                Grant::to("guest").upstream_edit(edit).into()
            }
        })
    }
}

impl RequestTransform for Three {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        misbehave(request);
        Ok(RequestEdits::new().set_header("x-request-version", VERSION).into())
    }
}

impl ResponseTransform for Three {
    fn transform_response(&self, _response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        Ok(ResponseEdits::new().set_header("x-response-version", VERSION).into())
    }
}

impl Integration for Three {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        misbehave(request);
        metrics::add("calls", 1, &[("version", VERSION)]);
        Ok(Response::new(200).text(VERSION))
    }
}

plugin!(Three: authorizer | request_transform | response_transform | integration);
