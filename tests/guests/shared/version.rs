//! P21. A plugin of which there are two versions, to be replaced under load. It exports every kind and says its version in
//! each: a request that meets both versions shows it.
//!
//! Authorizer: header `x-decision` is `allow` (default), `deny` or `abstain`; a grant sets the context value `version` and the
//! upstream header `x-authorizer-version`, a denial the header of that name. Request transform: `x-request-version`.
//! Response transform: `x-response-version`. Integration: the version as body. Each call adds to the metric `calls` with
//! the label `version`.

use gatewright_sdk::FieldEdit;
use gatewright_sdk::prelude::*;

use super::VERSION;

struct Versioned;

impl Plugin for Versioned {
    fn info() -> Info {
        Info::new("versioned", VERSION)
            .request_fields(["x-decision"])
            .service(Service::Metrics)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Authorizer for Versioned {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        count();
        Ok(match request.header("x-decision") {
            Some("deny") => Denial::new(
                Response::new(403).header("x-authorizer-version", VERSION),
                "asked to deny",
            )
            .into(),
            Some("abstain") => Decision::Abstain,
            _ => {
                let edit = FieldEdit::Set("x-authorizer-version".to_owned(), VERSION.into());
                Grant::to("guest")
                    .context("version", VERSION)
                    .upstream_edit(edit)
                    .into()
            }
        })
    }
}

impl RequestTransform for Versioned {
    fn transform_request(&self, _request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        count();
        Ok(RequestEdits::new().set_header("x-request-version", VERSION).into())
    }
}

impl ResponseTransform for Versioned {
    fn transform_response(&self, _response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        count();
        Ok(ResponseEdits::new().set_header("x-response-version", VERSION).into())
    }
}

impl Integration for Versioned {
    fn handle(&self, _request: &IntegrationRequest) -> Result<Response, Fault> {
        count();
        Ok(Response::new(200).text(VERSION))
    }
}

fn count() {
    metrics::add("calls", 1, &[("version", VERSION)]);
}

plugin!(Versioned: authorizer | request_transform | response_transform | integration);
