//! `{ use = "concurrency", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Count, Located, Scope, WhenUnavailable};

/// Limits how many requests are served at the same time.
///
/// ```toml
/// { use = "concurrency", limit = 20, by = "api-key" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "limit"]))]
pub struct ConcurrencyStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "concurrency"))]
    pub stage: Option<String>,
    /// Requests that may be served at the same time, from this stage to the last byte of the response. Required.
    #[schemars(required)]
    pub limit: Option<Count>,
    /// Whose requests these are: `"route"` (default), `"client"`, `"api-key"`, `"principal"`, `"attribute:NAME"` or
    /// `"header:NAME"`.
    pub by: Located<String>,
    /// Who shares the places: `"instance"` (default), this gateway's requests; `"cluster"`, those of all gateways with the
    /// same `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"local"` (default), each gateway counts for itself;
    /// `"open"`, nothing is limited; `"closed"`, requests are refused (503).
    pub when_unavailable: Option<Located<WhenUnavailable>>,
}

impl Default for ConcurrencyStage {
    fn default() -> Self {
        Self {
            stage: None,
            limit: None,
            by: "route".to_owned().into(),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
