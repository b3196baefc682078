//! What holders of API keys may use.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{QuotaRule, Scope};
use crate::units::Rate;

/// `[usage_plan.NAME]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsagePlanConfig {
    /// How fast each key may come, over all routes.
    pub throttle: Option<PlanThrottle>,
    /// How much each key may use, over all routes.
    pub quota: Option<QuotaRule>,
    /// The routes that it is for; empty: all.
    pub routes: Vec<String>,
    /// By route: how fast each key may come there, instead.
    pub route_throttle: BTreeMap<String, PlanThrottle>,
    /// Who shares what is counted.
    pub scope: Scope,
}

impl UsagePlanConfig {
    /// Whether it is for this route.
    #[must_use]
    pub fn covers(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|covered| covered == route)
    }
}

/// How fast each key of a plan may come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PlanThrottle {
    /// Tokens refilled over time.
    pub rate: Rate,
    /// Tokens there are at most.
    pub burst: u64,
}
