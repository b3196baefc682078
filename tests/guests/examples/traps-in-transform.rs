//! P1, P3, P5, P23: fails as a transform and as nothing else, so that a route may say `on_fault = "skip"`, which
//! authorizers are refused. Expected: the exchange ends, goes on without it, or has the route's own status, as `on_fault`
//! says; either way nothing of its changes is seen.
//!
//! Modes: `trap`, `loop`, `grow`, `fault`, `refused` (edits with a header field that is not a plugin's to write), `` (sets
//! `x-transformed`).

use gatewright_sdk::RequestHead;
use gatewright_sdk::prelude::*;
use misbehaving_guests::Settings;

struct TrapsInTransform {
    settings: Settings,
}

impl Plugin for TrapsInTransform {
    fn info() -> Info {
        misbehaving_guests::about("traps-in-transform")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Ok(Self {
            settings: Settings::read(config)?,
        })
    }
}

impl TrapsInTransform {
    /// The name of a second header field to set.
    fn act(&self, hook: &str, head: &RequestHead) -> Result<&'static str, Fault> {
        match self.settings.mode_in(hook, head) {
            "trap" => panic!("asked to panic"),
            "loop" => loop {
                std::hint::spin_loop();
            },
            "grow" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            "fault" => Err(Fault::Unavailable("asked to be unavailable".to_owned())),
            "refused" => Ok("transfer-encoding"),
            _ => Ok("x-transformed-too"),
        }
    }
}

impl RequestTransform for TrapsInTransform {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let second = self.act("request-transform", request)?;
        let edits = RequestEdits::new().set_header("x-transformed", "request");
        Ok(edits.set_header(second, "request").into())
    }
}

impl ResponseTransform for TrapsInTransform {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let second = self.act("response-transform", &response.request)?;
        let edits = ResponseEdits::new().set_header("x-transformed", "response");
        Ok(edits.set_header(second, "response").into())
    }
}

plugin!(TrapsInTransform: request_transform | response_transform);
