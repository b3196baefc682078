//! P30. Keeps what it sees in linear memory and tells the next caller: the values of `x-canary` and how often this
//! instance was called. Expected: with fresh instances every call sees one call and no canary but its own; with
//! reuse it may see others, which is what the operator asked for.
//!
//! As integration it answers `{"calls":n,"seen":[…]}`; as request transform it sets `x-calls` and `x-seen`.

use std::cell::RefCell;

use gatewright_sdk::RequestHead;
use gatewright_sdk::prelude::*;

#[derive(Default)]
struct KeepsState {
    seen: RefCell<Vec<String>>,
}

impl Plugin for KeepsState {
    fn info() -> Info {
        misbehaving_guests::about("keeps-state")
    }

    fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self::default())
    }
}

impl KeepsState {
    fn see(&self, head: &RequestHead) -> Vec<String> {
        let mut seen = self.seen.borrow_mut();
        seen.push(head.header("x-canary").unwrap_or_default().to_owned());
        seen.clone()
    }
}

impl Integration for KeepsState {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let seen = self.see(request);
        Response::new(200).json(&serde_json::json!({ "calls": seen.len(), "seen": seen }))
    }
}

impl RequestTransform for KeepsState {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let seen = self.see(request);
        let edits = RequestEdits::new().set_header("x-calls", seen.len().to_string());
        Ok(edits.set_header("x-seen", seen.join(",")).into())
    }
}

plugin!(KeepsState: integration | request_transform);
