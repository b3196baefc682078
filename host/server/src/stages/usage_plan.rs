//! `usage-plan`: API keys are held to their plans.

use std::sync::Arc;

use gatewright_config::UsagePlanStageConfig;
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, RouteName, Stage, Step};

use crate::limit::{Bucket, LimitKey};
use crate::usage::{Plan, Usage};

/// The attribute that names the plans of a key, with spaces between them.
pub const USAGE_PLANS: &str = "auth.usage_plans";

/// Holds every request to the plan of its key.
pub struct UsagePlan {
    /// The plans that are for the route.
    plans: Vec<Terms>,
    /// Which of them is for whoever has none.
    default: Option<Terms>,
}

/// A plan on one route.
#[derive(Clone)]
struct Terms {
    plan: Arc<Plan>,
    buckets: Option<Arc<Bucket>>,
}

impl Stage for UsagePlan {
    fn name(&self) -> &str {
        "usage-plan"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let Some(terms) = self.terms(exchange) else {
            let problem = Problem::new(ProblemKind::InvalidApiKey).with_cause("there is no usage plan for it here");
            return Step::ready(Err(problem));
        };
        let by = LimitKey::ApiKey.of(exchange).into_owned();
        let Some(buckets) = &terms.buckets else {
            return terms.meter(exchange, &by);
        };
        // A request that comes too fast does not use up what there is.
        match buckets.take(&by) {
            Step::Ready(Some(taken)) => match buckets.settle(exchange, taken, shown) {
                Ok(()) => terms.meter(exchange, &by),
                Err(problem) => Step::ready(Err(problem)),
            },
            waiting => Step::waiting(async move {
                let taken = waiting.await;
                buckets.settle(exchange, taken, shown)?;
                terms.meter(exchange, &by).await
            }),
        }
    }
}

impl Terms {
    fn meter<'a>(&'a self, exchange: &'a mut Exchange, by: &str) -> Step<'a, Result<Flow, Problem>> {
        let Some(meter) = self.plan.meter() else {
            return Step::ready(Ok(Flow::Proceed));
        };
        match meter.spend(by) {
            Step::Ready(Some(spent)) => Step::ready(meter.settle(exchange, spent, shown).map(|()| Flow::Proceed)),
            waiting => Step::waiting(async move {
                let spent = waiting.await;
                meter.settle(exchange, spent, shown).map(|()| Flow::Proceed)
            }),
        }
    }
}

/// Whose plan it is, for people.
fn shown(exchange: &Exchange) -> String {
    LimitKey::ApiKey.shown(exchange)
}

impl UsagePlan {
    /// The stage of a route.
    pub fn new(config: &UsagePlanStageConfig, route: &RouteName, usage: &Usage) -> Self {
        let terms = |plan: &Arc<Plan>| Terms {
            plan: Arc::clone(plan),
            buckets: plan.buckets(route),
        };
        Self {
            plans: usage.covering(route).map(terms).collect(),
            default: config.default.as_ref().and_then(|name| usage.plan(name)).map(terms),
        }
    }

    /// The plan that the request is held to.
    fn terms(&self, exchange: &Exchange) -> Option<&Terms> {
        let named = exchange.attributes.get(USAGE_PLANS).map(|value| value.to_string());
        let own = named.as_deref().unwrap_or_default().split(' ');
        let mut own = own.filter_map(|name| self.plans.iter().find(|terms| terms.plan.name == name));
        own.next().or(self.default.as_ref())
    }
}
