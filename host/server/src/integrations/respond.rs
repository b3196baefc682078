//! `respond`: the same answer to everybody.

use bytes::Bytes;
use gatewright_config::RespondConfig;
use gatewright_core::{Body, Exchange, Integration, Problem, Response, Step};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Answers from the configuration.
#[derive(Debug)]
pub struct Respond {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Integration for Respond {
    fn name(&self) -> &str {
        "respond"
    }

    fn call<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        let mut response = Response::new(Body::full(self.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        Step::ready(Ok(response))
    }
}

impl Respond {
    /// What the configuration says, which has checked status and fields.
    pub fn new(config: &RespondConfig) -> Self {
        let field = |(name, value): &(String, String)| {
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        };
        Self {
            status: StatusCode::from_u16(config.status).unwrap_or_default(),
            headers: config.headers.iter().filter_map(field).collect(),
            body: Bytes::from(config.body.clone()),
        }
    }
}
