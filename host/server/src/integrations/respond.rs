//! `respond`: the same answer to everybody, but for header fields that say something of the exchange.

use bytes::Bytes;
use gatewright_config::{RespondConfig, ValueTemplate};
use gatewright_core::{Body, Exchange, Integration, Problem, Response, Step};
use http::{HeaderName, StatusCode};

use crate::stages::headers::Text;

/// Answers from the configuration.
#[derive(Debug)]
pub struct Respond {
    status: StatusCode,
    headers: Vec<(HeaderName, Text)>,
    body: Bytes,
}

impl Integration for Respond {
    fn name(&self) -> &str {
        "respond"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        let mut response = Response::new(Body::full(self.body.clone()));
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            if let Some(value) = value.of(exchange, Some(self.status)) {
                response.headers_mut().insert(name, value);
            }
        }
        Step::ready(Ok(response))
    }
}

impl Respond {
    /// What the configuration says, which has checked status and fields.
    pub fn new(config: &RespondConfig) -> Self {
        let field = |(name, value): &(String, ValueTemplate)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, Text::new(value)))
        };
        Self {
            status: StatusCode::from_u16(config.status).unwrap_or_default(),
            headers: config.headers.iter().filter_map(field).collect(),
            body: Bytes::from(config.body.clone()),
        }
    }
}
