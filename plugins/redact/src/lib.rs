//! A filter of bodies that redacts patterns. The schema of its configuration has the rules by which the gateway gives it
//! bodies: whole and without a coding, of the direction that is redacted. `scan.rs` looks at them.

mod scan;
#[cfg(test)]
mod tests;

use gatewright_sdk::prelude::*;
use scan::Scan;
use serde::Deserialize;

/// Longest pattern, and longest text in its place.
const TEXT_BYTES: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redact {
    /// `#` stands for a digit.
    patterns: Vec<String>,
    /// What stands there instead.
    #[serde(default = "default_with")]
    with: String,
    /// Which bodies. A component says once for all of its uses what it wants to see.
    #[serde(default = "default_apply_to")]
    apply_to: Vec<Apply>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Apply {
    Request,
    Response,
}

/// Digests of a body that may not be the same when it arrives.
const DIGESTS: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];

impl Plugin for Redact {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .request_fields(["content-encoding"])
            .response_fields(["content-encoding"])
            .request_body(BodyMode::Chunks)
            .response_body(BodyMode::Chunks)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        let plugin: Self = config::parse(config)?;
        let mut errors = Vec::new();
        for (index, pattern) in plugin.patterns.iter().enumerate() {
            if pattern.is_empty() || pattern.len() > TEXT_BYTES {
                errors.push(ConfigError::new(
                    format!("/patterns/{index}"),
                    "a pattern has 1 to 256 bytes",
                ));
            }
        }
        if plugin.with.len() > TEXT_BYTES {
            errors.push(ConfigError::new("/with", "it has more than 256 bytes"));
        }
        if errors.is_empty() { Ok(plugin) } else { Err(errors) }
    }
}

impl RequestTransform for Redact {
    fn transform_request(&self, _request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let mut edits = RequestEdits::new();
        if self.apply_to.contains(&Apply::Request) {
            edits = DIGESTS.into_iter().fold(edits, RequestEdits::remove_header);
        }
        Ok(edits.into())
    }
}

impl ResponseTransform for Redact {
    fn transform_response(&self, _response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let mut edits = ResponseEdits::new();
        if self.apply_to.contains(&Apply::Response) {
            edits = DIGESTS.into_iter().fold(edits, ResponseEdits::remove_header);
        }
        Ok(edits.into())
    }
}

impl BodyFilter for Redact {
    type Filter = Redacting;

    fn open(&self, input: &FilterInput) -> Result<Option<Redacting>, Fault> {
        let (meant, fields) = match &input.response {
            None => (Apply::Request, &input.request.fields),
            Some(response) => (Apply::Response, &response.fields),
        };
        if !self.apply_to.contains(&meant) {
            return Ok(None);
        }
        // What is passed on unread may hold what must not be seen: the route's `on_fault` is the place to decide.
        if fields
            .bytes("content-encoding")
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        {
            return Err(Fault::BadInput("the body is compressed".to_owned()));
        }
        let patterns = self
            .patterns
            .iter()
            .map(|pattern| pattern.clone().into_bytes())
            .collect();
        Ok(Some(Redacting(Scan::new(patterns, self.with.clone().into_bytes()))))
    }
}

/// One body on its way.
struct Redacting(Scan);

impl Filter for Redacting {
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Fault> {
        Ok(self.0.next(&chunk))
    }

    fn finish(self) -> Result<Vec<u8>, Fault> {
        Ok(self.0.end())
    }
}

fn default_with() -> String {
    "***".to_owned()
}

fn default_apply_to() -> Vec<Apply> {
    vec![Apply::Response]
}

plugin!(Redact: request_transform | response_transform | body_filter);
