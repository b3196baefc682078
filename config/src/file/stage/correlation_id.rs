//! `{ use = "correlation-id", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::Located;

/// Gives each request an id that client, access log and upstream know it by.
///
/// ```toml
/// { use = "correlation-id", header = "x-correlation-id", accept = "trusted", generate = "uuid7" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct CorrelationIdStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "correlation-id"))]
    pub stage: Option<String>,
    /// The header field. Default `"x-correlation-id"`.
    pub header: Located<String>,
    /// Whose ids are taken over, if they are well-formed: `"any"` (default), `"trusted"` proxies', or `"none"`.
    pub accept: AcceptIds,
    /// What others get: `"uuid7"` (default), `"uuid4"`, or `"request-id"`, the one in the access log.
    pub generate: GenerateIds,
    /// Whether the response has it too. Default true.
    pub echo: bool,
}

impl Default for CorrelationIdStage {
    fn default() -> Self {
        Self {
            stage: None,
            header: "x-correlation-id".to_owned().into(),
            accept: AcceptIds::default(),
            generate: GenerateIds::default(),
            echo: true,
        }
    }
}

/// Whose ids are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcceptIds {
    /// Everybody's.
    #[default]
    Any,
    /// Those of trusted proxies.
    Trusted,
    /// Nobody's.
    None,
}

/// How ids are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum GenerateIds {
    /// Time and random (RFC 9562, version 7): sorted by time.
    #[default]
    #[serde(rename = "uuid7")]
    Uuid7,
    /// Random (version 4).
    #[serde(rename = "uuid4")]
    Uuid4,
    /// The exchange's own.
    #[serde(rename = "request-id")]
    RequestId,
}
