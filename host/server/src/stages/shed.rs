//! `shed`: while responses take too long, fewer requests are let in, and the less important ones are refused first.

use std::sync::Arc;

use gatewright_config::{Priority, ShedConfig};
use gatewright_core::{Exchange, Flow, Lease, Problem, ProblemKind, Response, Stage, Step, Value};

use crate::shedding::Shedder;

/// Lets requests in as long as their group has room for their priority.
pub struct Shed {
    shedder: Arc<Shedder>,
    /// Tenths of the places that requests of its priority may take.
    tenths: u64,
}

impl Stage for Shed {
    fn name(&self) -> &str {
        "shed"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let entered = self.shedder.enter(self.tenths);
        if let Some(explanation) = &exchange.record.explanation {
            let count = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            explanation.note(
                "overload",
                [
                    ("allowed", Value::Truth(entered.is_some())),
                    ("places", count(self.shedder.places() * self.tenths / 10)),
                    ("taken", count(self.shedder.taken())),
                ],
            );
        }
        Step::ready(match entered {
            Some(place) => {
                exchange.record.leases.push(Lease::new(place));
                Ok(Flow::Proceed)
            }
            None => Err(Problem::new(ProblemKind::Overloaded).with_retry_after(std::time::Duration::from_secs(1))),
        })
    }

    fn on_response<'a>(&'a self, exchange: &'a mut Exchange, _: &'a mut Response) -> Step<'a, Result<(), Problem>> {
        let took = exchange.now.saturating_duration_since(exchange.record.started);
        self.shedder.answered(exchange.now, took);
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        true
    }
}

impl Shed {
    /// A stage of a group.
    pub fn new(config: &ShedConfig, shedder: Arc<Shedder>) -> Self {
        let tenths = match config.priority {
            Priority::Low => 5,
            Priority::Normal => 8,
            Priority::High => 10,
        };
        Self { shedder, tenths }
    }
}
