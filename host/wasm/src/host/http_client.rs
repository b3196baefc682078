//! Outbound requests. Linked, but no configuration grants an origin yet: every call is refused.

use crate::api::bindings::gatewright::plugin::http_client::{FullResponse, Host, HttpError, OutboundRequest};
use crate::state::CallState;

impl Host for CallState {
    fn send(&mut self, _request: OutboundRequest) -> wasmtime::Result<Result<FullResponse, HttpError>> {
        Ok(Err(HttpError::Forbidden))
    }

    fn send_all(&mut self, requests: Vec<OutboundRequest>) -> wasmtime::Result<Vec<Result<FullResponse, HttpError>>> {
        Ok(requests.iter().map(|_| Err(HttpError::Forbidden)).collect())
    }
}
