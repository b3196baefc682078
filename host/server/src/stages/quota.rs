//! `quota`: so many requests in a calendar period, and no more.

use std::sync::Arc;

use gatewright_config::QuotaConfig;
use gatewright_core::{Exchange, Flow, Problem, RouteName, Spent, Stage, State, StateError, Step};
use gatewright_wasm::scope;

use crate::limit::{LimitKey, Meter};

/// Counts every request, and refuses those beyond the quota.
pub struct Quota {
    meter: Meter,
    by: LimitKey,
}

impl Stage for Quota {
    fn name(&self) -> &str {
        "quota"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        match self.meter.spend(&self.by.of(exchange)) {
            Step::Ready(Some(spent)) => Step::ready(self.settle(exchange, spent)),
            waiting => Step::waiting(async move {
                let spent = waiting.await;
                self.settle(exchange, spent)
            }),
        }
    }
}

impl Quota {
    /// The quota at `position` of a route's chain.
    pub fn new(config: &QuotaConfig, route: &RouteName, position: usize, state: Arc<dyn State>) -> Self {
        Self {
            meter: Meter::new(format!("{route}#{position}"), config.rule, scope(config.scope), state),
            by: LimitKey::new(&config.by),
        }
    }

    fn settle(&self, exchange: &mut Exchange, spent: Result<Spent, StateError>) -> Result<Flow, Problem> {
        let by = |exchange: &Exchange| self.by.shown(exchange);
        self.meter.settle(exchange, spent, by).map(|()| Flow::Proceed)
    }
}
