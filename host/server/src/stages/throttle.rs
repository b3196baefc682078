//! `throttle`: so many requests in a time, and no more.

use std::sync::Arc;

use gatewright_config::ThrottleConfig;
use gatewright_core::{Exchange, Flow, Problem, RouteName, Stage, State, StateError, Step, Taken};
use gatewright_wasm::scope;

use crate::limit::{Bucket, LimitKey};

/// Takes a token for every request, and refuses those for which there is none.
pub struct Throttle {
    buckets: Bucket,
    by: LimitKey,
}

impl Stage for Throttle {
    fn name(&self) -> &str {
        "throttle"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        match self.buckets.take(&self.by.of(exchange)) {
            Step::Ready(Some(taken)) => Step::ready(self.settle(exchange, taken)),
            waiting => Step::waiting(async move {
                let taken = waiting.await;
                self.settle(exchange, taken)
            }),
        }
    }
}

impl Throttle {
    /// The throttle at `position` of a route's chain.
    pub fn new(config: &ThrottleConfig, route: &RouteName, position: usize, state: Arc<dyn State>) -> Self {
        let name = format!("{route}#{position}");
        Self {
            buckets: Bucket::new(name, config.rate, config.burst, scope(config.scope), state),
            by: LimitKey::new(&config.by),
        }
    }

    fn settle(&self, exchange: &mut Exchange, taken: Result<Taken, StateError>) -> Result<Flow, Problem> {
        let by = |exchange: &Exchange| self.by.shown(exchange);
        self.buckets.settle(exchange, taken, by).map(|()| Flow::Proceed)
    }
}
