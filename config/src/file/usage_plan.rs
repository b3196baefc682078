//! `[usage_plan.NAME]`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Located, Period, Scope, WhenUnavailable};
use crate::units::Rate;

/// What holders of some API keys may use: how fast, and how much.
///
/// ```toml
/// [usage_plan.gold]
/// throttle = { rate = "100/s", burst = 200 }
/// quota = { limit = 1000000, period = "month" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UsagePlan {
    /// How fast each key may come, over all routes of the plan. Default: as fast as it likes.
    pub throttle: Option<Located<PlanThrottle>>,
    /// How much each key may use, over all routes of the plan. Default: as much as it likes.
    pub quota: Option<Located<PlanQuota>>,
    /// The names of the routes that it is for. Empty (default): all that have the stage `usage-plan`.
    pub routes: Vec<Located<String>>,
    /// By route: how fast each key may come there, instead of `throttle`. Default none.
    pub route_throttle: BTreeMap<String, Located<PlanThrottle>>,
    /// Who shares what is counted: `"instance"` (default), this gateway's requests; `"cluster"`, those of all gateways with
    /// the same `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"local"` (default), each gateway counts on for itself;
    /// `"open"`, nothing is limited; `"closed"`, requests are refused (503).
    pub when_unavailable: Option<Located<WhenUnavailable>>,
}

/// How fast each key of a plan may come.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["rate"]))]
pub struct PlanThrottle {
    /// Tokens refilled over time: `"100/s"`, `"5000/m"`, `"10/h"`. Required.
    #[schemars(required)]
    pub rate: Option<Rate>,
    /// Tokens there are at most. Default: those of `rate`.
    pub burst: Option<Count>,
}

/// How much each key of a plan may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["limit", "period"]))]
pub struct PlanQuota {
    /// Requests in each period. Required.
    #[schemars(required, extend("minimum" = 1))]
    pub limit: Option<Located<u64>>,
    /// `"hour"`, `"day"`, `"week"` from Sunday, or `"month"`, by UTC. Required.
    #[schemars(required)]
    pub period: Option<Period>,
    /// Requests taken off in the period of `start`, for a plan that begins in the middle of one. Default 0.
    pub offset: Located<u64>,
    /// The day on which the plan begins: `"2026-11-22"`. Required with `offset`.
    pub start: Option<Located<String>>,
}
