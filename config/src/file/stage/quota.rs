//! `{ use = "quota", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Located, Period, Scope, WhenUnavailable};

/// Limits the number of requests in a calendar period.
///
/// ```toml
/// { use = "quota", limit = 10000, period = "month", by = "api-key" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "limit", "period"]))]
pub struct QuotaStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "quota"))]
    pub stage: Option<String>,
    /// Requests in each period. Required.
    #[schemars(required, extend("minimum" = 1))]
    pub limit: Option<Located<u64>>,
    /// `"hour"`, `"day"`, `"week"` from Sunday, or `"month"`, by UTC. Required.
    #[schemars(required)]
    pub period: Option<Period>,
    /// Requests taken off in the period of `start`, for a quota that begins in the middle of one. Default 0.
    pub offset: Located<u64>,
    /// The day on which the quota begins to hold: `"2026-11-22"`. Required with `offset`.
    pub start: Option<Located<String>>,
    /// Whose requests are counted: `"route"`, `"client"`, `"api-key"` (default), `"principal"`, `"attribute:NAME"` or
    /// `"header:NAME"`.
    pub by: Located<String>,
    /// Who shares the counts: `"instance"` (default), this gateway's requests; `"cluster"`, those of all gateways with the
    /// same `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"local"` (default), each gateway counts on from what it
    /// knew; `"open"`, nothing is limited; `"closed"`, requests are refused (503).
    pub when_unavailable: Option<Located<WhenUnavailable>>,
}

impl Default for QuotaStage {
    fn default() -> Self {
        Self {
            stage: None,
            limit: None,
            period: None,
            offset: Located::default(),
            start: None,
            by: "api-key".to_owned().into(),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
