//! `concurrency`: so many requests at the same time, and no more.

use std::sync::Arc;

use gatewright_config::ConcurrencyConfig;
use gatewright_core::{
    Exchange, Flow, Leased, Limit, Problem, ProblemKind, RouteName, Scope, Stage, State, StateError, Step, Value,
};
use gatewright_wasm::scope;

use crate::limit::LimitKey;

/// Gives every request a place until its exchange is over, and refuses those for which there is none.
pub struct Concurrency {
    state: Arc<dyn State>,
    limit: String,
    scope: Scope,
    places: u64,
    by: LimitKey,
}

impl Stage for Concurrency {
    fn name(&self) -> &str {
        "concurrency"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let limit = Limit {
            name: &self.limit,
            scope: self.scope,
        };
        match self.state.lease(limit, &self.by.of(exchange), self.places) {
            Step::Ready(Some(leased)) => Step::ready(self.settle(exchange, leased)),
            waiting => Step::waiting(async move {
                let leased = waiting.await;
                self.settle(exchange, leased)
            }),
        }
    }
}

impl Concurrency {
    /// The stage at `position` of a route's chain.
    pub fn new(config: &ConcurrencyConfig, route: &RouteName, position: usize, state: Arc<dyn State>) -> Self {
        Self {
            state,
            limit: format!("{route}#{position}"),
            scope: scope(config.scope),
            places: config.limit,
            by: LimitKey::new(&config.by),
        }
    }

    fn settle(&self, exchange: &mut Exchange, leased: Result<Leased, StateError>) -> Result<Flow, Problem> {
        let Leased { lease, taken, .. } = leased.map_err(|error| {
            let cause = format!("concurrency `{}`: {error}", self.limit);
            Problem::new(ProblemKind::StateUnavailable).with_cause(cause)
        })?;
        if let Some(explanation) = &exchange.record.explanation {
            let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            explanation.note(
                "places",
                [
                    ("limit", Value::Text(self.limit.clone())),
                    ("by", Value::Text(self.by.shown(exchange))),
                    ("allowed", Value::Truth(lease.is_some())),
                    ("places", count(self.places)),
                    ("taken", count(taken)),
                ],
            );
        }
        match lease {
            Some(lease) => {
                // The record lives as long as the exchange, to the last byte of the response.
                exchange.record.leases.push(lease);
                Ok(Flow::Proceed)
            }
            None => Err(Problem::new(ProblemKind::TooManyConcurrentRequests)
                .with_cause(format_args!("all {} places are taken", self.places))),
        }
    }
}
