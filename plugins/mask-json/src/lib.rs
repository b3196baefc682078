//! A transform of requests and responses that masks fields of JSON bodies. The schema of its configuration has the rules
//! by which the gateway gives it bodies: JSON, whole and without a coding, of the direction that is masked. `mask.rs`
//! changes them.

mod mask;
#[cfg(test)]
mod tests;

use gatewright_sdk::prelude::*;
use mask::Mask;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskJson {
    /// Names masked wherever they occur.
    #[serde(default)]
    names: Vec<String>,
    /// JSON pointers of single places.
    #[serde(default)]
    pointers: Vec<String>,
    /// What stands there instead.
    #[serde(default = "default_mask")]
    mask: String,
    /// Which bodies. A component that exports both hooks is called for both.
    #[serde(default = "default_apply_to")]
    apply_to: Vec<Direction>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Direction {
    Request,
    Response,
}

/// Digests of a body that is no longer the one they were made for.
const DIGESTS: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];

impl Plugin for MaskJson {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .request_fields(["content-type", "content-encoding"])
            .response_fields(["content-type", "content-encoding"])
            .request_body(BodyMode::Buffered)
            .response_body(BodyMode::Buffered)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        let plugin: Self = config::parse(config)?;
        let mut errors = Vec::new();
        if plugin.names.is_empty() && plugin.pointers.is_empty() {
            errors.push(ConfigError::new(
                "",
                "neither `names` nor `pointers`: nothing would be masked",
            ));
        }
        for (index, pointer) in plugin.pointers.iter().enumerate() {
            if !(pointer.is_empty() || pointer.starts_with('/')) {
                errors.push(ConfigError::new(
                    format!("/pointers/{index}"),
                    "a JSON pointer starts with `/`",
                ));
            }
        }
        if errors.is_empty() { Ok(plugin) } else { Err(errors) }
    }
}

impl RequestTransform for MaskJson {
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault> {
        let mut edits = RequestEdits::new();
        if self.apply_to.contains(&Direction::Request)
            && let Some(masked) = self.masked(&request.fields, request.body.as_deref())?
        {
            edits = DIGESTS
                .into_iter()
                .fold(edits, RequestEdits::remove_header)
                .body(masked);
        }
        Ok(edits.into())
    }
}

impl ResponseTransform for MaskJson {
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault> {
        let mut edits = ResponseEdits::new();
        if self.apply_to.contains(&Direction::Response)
            && let Some(masked) = self.masked(&response.fields, response.body.as_deref())?
        {
            edits = DIGESTS
                .into_iter()
                .fold(edits, ResponseEdits::remove_header)
                .body(masked);
        }
        Ok(edits.into())
    }
}

impl MaskJson {
    /// The body with its masks; none when it is not JSON or has nothing to mask.
    ///
    /// A body that claims to be JSON and cannot be read is a fault: what is passed on unread may hold what must not
    /// be seen, and the route's `on_fault` is the place to decide about that.
    fn masked(&self, fields: &Fields, body: Option<&[u8]>) -> Result<Option<Vec<u8>>, Fault> {
        let Some(body) = body.filter(|body| !body.is_empty()) else {
            return Ok(None);
        };
        if !fields.text("content-type").is_some_and(is_json) {
            return Ok(None);
        }
        if fields
            .bytes("content-encoding")
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        {
            return Err(Fault::BadInput("the JSON body is compressed".to_owned()));
        }
        Mask {
            names: &self.names,
            pointers: &self.pointers,
            with: &self.mask,
        }
        .apply(body)
    }
}

/// `application/json`, and everything with the suffix `+json` (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || essence.ends_with("+json")
}

fn default_mask() -> String {
    "***".to_owned()
}

fn default_apply_to() -> Vec<Direction> {
    vec![Direction::Response]
}

plugin!(MaskJson: request_transform | response_transform, arena_bytes = 512 * 1024);
