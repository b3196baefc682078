//! `{ use = "throttle", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Count, Located, Scope, WhenUnavailable};
use crate::units::Rate;

/// Limits the rate of requests with token buckets.
///
/// ```toml
/// { use = "throttle", rate = "100/s", burst = 200, by = "api-key" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "rate"]))]
pub struct ThrottleStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "throttle"))]
    pub stage: Option<String>,
    /// Tokens refilled over time: `"100/s"`, `"5000/m"`, `"10/h"`. Required.
    #[schemars(required)]
    pub rate: Option<Rate>,
    /// Tokens there are at most. Default: those of `rate`.
    pub burst: Option<Count>,
    /// Whose bucket it is: `"route"`, `"client"` (default), `"api-key"`, `"principal"`, `"attribute:NAME"` or `"header:NAME"`.
    pub by: Located<String>,
    /// Who shares the buckets: `"instance"` (default), this gateway's requests; `"cluster"`, those of all gateways with the
    /// same `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"local"` (default), each gateway counts for itself;
    /// `"open"`, nothing is limited; `"closed"`, requests are refused (503).
    pub when_unavailable: Option<Located<WhenUnavailable>>,
}

impl Default for ThrottleStage {
    fn default() -> Self {
        Self {
            stage: None,
            rate: None,
            burst: None,
            by: "client".to_owned().into(),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
