//! `{ use = "request-size", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::ByteSize;

/// Limits how much a request may have, where a route's or a listener's limits are too coarse.
///
/// ```toml
/// { use = "request-size", body = "64KiB", length_required = true }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct RequestSizeStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "request-size"))]
    pub stage: Option<String>,
    /// The longest body (413 above). Default: as the route lets in.
    pub body: Option<ByteSize>,
    /// The longest header section, as names and values together (431 above). Default: as the listener lets in.
    pub headers: Option<ByteSize>,
    /// The longest query (414 above). Default: as the listener lets in.
    pub query: Option<ByteSize>,
    /// Whether a body has to say how long it is (411 otherwise). Default false.
    pub length_required: bool,
}
