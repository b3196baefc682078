//! A plugin as a stage: what the chain sees. One plugin may be authorizer, request transform and response transform at
//! once; on the way in it decides first and changes after.

mod filter;
mod transform;

use std::sync::Arc;

use bytes::Bytes;
use gatewright_config::gateway::OnFault;
use gatewright_core::body::CollectError;
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::StatusCode;

use crate::PluginError;
use crate::api::{Authorize, View};
use crate::authorizer::{Authorizer, Lookup};
use crate::decision_cache::Keys;
use crate::failure::Failure;
use crate::kind::PluginKind;
use crate::metrics::RouteStats;
use crate::plugin::{Plugin, StageUse};
use crate::runtime::{Cause, Runtime};

/// One use of a plugin in a chain.
pub(crate) struct PluginStage {
    runtime: Arc<Runtime>,
    stats: Arc<RouteStats>,
    plan: Plan,
}

/// The settings of the use, checked.
pub(crate) struct Plan {
    authorizer: Option<Authorizer>,
    transforms_requests: bool,
    transforms_responses: bool,
    filters_requests: bool,
    filters_responses: bool,
    on_fault: OnFault,
    body_bytes: u64,
}

impl PluginStage {
    /// Checks that the plugin can be used so.
    pub(crate) fn check(plugin: &Plugin, use_: StageUse<'_>) -> Result<Plan, PluginError> {
        let kinds = plugin.kinds();
        let config = use_.config;
        let plan = Plan {
            authorizer: kinds
                .has(PluginKind::Authorizer)
                .then(|| Authorizer::check(plugin, use_))
                .transpose()?,
            transforms_requests: kinds.has(PluginKind::RequestTransform),
            transforms_responses: kinds.has(PluginKind::ResponseTransform),
            filters_requests: kinds.has(PluginKind::BodyFilter) && plugin.needs().request_chunks,
            filters_responses: kinds.has(PluginKind::BodyFilter) && plugin.needs().response_chunks,
            on_fault: config.on_fault,
            body_bytes: config.body_bytes.0,
        };
        if plan.authorizer.is_none() && !plan.sees_requests() && !plan.sees_responses() {
            return Err(plugin.unusable(format!("it is no stage; it exports {}", kinds.list())));
        }
        if plan.authorizer.is_none() && !config.identity.is_empty() {
            return Err(plugin.unusable("`identity` is for authorizers, and it is none".to_owned()));
        }
        if plan.authorizer.is_some() && plan.on_fault == OnFault::Skip {
            let reason = "an authorizer that fails must not let requests pass; `on_fault = \"skip\"` is for transforms";
            return Err(plugin.unusable(reason.to_owned()));
        }
        if matches!(plan.on_fault, OnFault::Status(status) if !(400..600).contains(&status)) {
            return Err(plugin.unusable("`on_fault` is not a status from 400 to 599".to_owned()));
        }
        Ok(plan)
    }
}

impl Plan {
    /// Whether requests are changed, which takes longer than to look at them.
    fn sees_requests(&self) -> bool {
        self.transforms_requests || self.filters_requests
    }

    fn sees_responses(&self) -> bool {
        self.transforms_responses || self.filters_responses
    }

    pub(crate) fn with(self, runtime: Arc<Runtime>, stats: Arc<RouteStats>) -> PluginStage {
        PluginStage {
            runtime,
            stats,
            plan: self,
        }
    }
}

impl Stage for PluginStage {
    fn name(&self) -> &str {
        &self.runtime.plugin().caller().name
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let Some(authorizer) = &self.plan.authorizer else {
            return match self.plan.sees_requests() {
                true => Step::waiting(self.change_request(exchange)),
                false => Step::ready(Ok(Flow::Proceed)),
            };
        };
        match authorizer.look_up(&self.runtime, &self.stats, exchange) {
            // Nothing to wait for, nothing to allocate.
            Lookup::Found(decision) if !self.plan.sees_requests() => {
                Step::ready(authorizer.apply(self.name(), &decision, exchange))
            }
            Lookup::Found(decision) => Step::waiting(async move {
                match authorizer.apply(self.name(), &decision, exchange)? {
                    Flow::Proceed => self.change_request(exchange).await,
                    answer => Ok(answer),
                }
            }),
            Lookup::Ask(keys) if !self.plan.sees_requests() => {
                Step::waiting(self.authorize(authorizer, keys, exchange))
            }
            Lookup::Ask(keys) => Step::waiting(async move {
                match self.authorize(authorizer, keys, exchange).await? {
                    Flow::Proceed => self.change_request(exchange).await,
                    answer => Ok(answer),
                }
            }),
        }
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        Step::waiting(self.change_response(exchange, response))
    }

    fn sees_responses(&self) -> bool {
        self.plan.sees_responses()
    }
}

impl PluginStage {
    /// What a request is, first; then what becomes of its body.
    async fn change_request(&self, exchange: &mut Exchange) -> Result<Flow, Problem> {
        if self.plan.transforms_requests
            && let answer @ Flow::Answer(_) = self.transform_request(exchange).await?
        {
            return Ok(answer);
        }
        if self.plan.filters_requests {
            self.filter_request(exchange).await?;
        }
        Ok(Flow::Proceed)
    }

    async fn change_response(&self, exchange: &mut Exchange, response: &mut Response) -> Result<(), Problem> {
        if self.plan.transforms_responses {
            self.transform_response(exchange, response).await?;
        }
        if self.plan.filters_responses {
            self.filter_response(exchange, response).await?;
        }
        Ok(())
    }

    /// Asks the plugin and does what it decides. Large futures are copied where they are handed on: there is one here for the
    /// whole of it.
    async fn authorize(
        &self,
        authorizer: &Authorizer,
        keys: Option<Keys>,
        exchange: &mut Exchange,
    ) -> Result<Flow, Problem> {
        let body = self.request_body(exchange).await?;
        let view = View::of(exchange);
        let identity = authorizer.identity.of(&view);
        let values: Vec<_> = identity.values.iter().map(Option::as_deref).collect();
        let question = Authorize {
            view,
            shown: authorizer.shown(),
            needs: self.runtime.plugin().needs(),
            identity: &values,
            body: body.as_deref(),
        };
        let asked = self.runtime.call(&question, Cause::of(exchange, &self.stats)).await;
        let decision = asked.map_err(|failure| self.problem(&failure, true))?;
        authorizer.keep(&self.runtime, keys, &decision);
        authorizer.apply(self.name(), &decision, exchange)
    }

    /// The request's body, if the plugin reads it; the exchange keeps it.
    async fn request_body(&self, exchange: &mut Exchange) -> Result<Option<Bytes>, Problem> {
        if !self.runtime.plugin().needs().request_body {
            return Ok(None);
        }
        let body = exchange
            .collect_body(self.plan.body_bytes)
            .await
            .map_err(|error| match error {
                CollectError::TooLarge => Problem::new(ProblemKind::RequestTooLarge).with_cause(self.too_large()),
                CollectError::Body(error) => error.0,
            })?;
        exchange.body = Body::full(body.clone());
        Ok(Some(body))
    }

    fn too_large(&self) -> String {
        format!(
            "plugin `{}`: the body has more than the {} bytes of `body_bytes`",
            self.name(),
            self.plan.body_bytes
        )
    }

    /// What a failure means here, where it is not passed over.
    fn problem(&self, failure: &Failure, authorizer: bool) -> Problem {
        with_status(failure.problem(self.name(), authorizer), self.plan.on_fault)
    }

    /// Whether the exchange goes on as if the stage were not there.
    fn forgive(&self, failure: &Failure) -> Result<(), Problem> {
        if self.plan.on_fault != OnFault::Skip || matches!(failure, Failure::ExchangeOver) {
            return Err(self.problem(failure, false));
        }
        self.stats.skipped();
        self.runtime.plugin().note_skipped(failure);
        Ok(())
    }
}

/// A problem with the status that a use of a plugin gives to all of its failures, if it does.
pub(crate) fn with_status(problem: Problem, on_fault: OnFault) -> Problem {
    match on_fault {
        OnFault::Status(status) => match StatusCode::from_u16(status) {
            Ok(status) => problem.with_status(status),
            Err(_) => problem,
        },
        OnFault::Deny | OnFault::Skip => problem,
    }
}

/// All of a body, which stays where it is.
async fn collect(body: &mut Body, limit: u64) -> Result<Bytes, CollectError> {
    let bytes = body.take().collect(limit).await?;
    *body = Body::full(bytes.clone());
    Ok(bytes)
}

impl<'a> Cause<'a> {
    /// The exchange as a cause.
    pub(crate) fn of(exchange: &'a Exchange, stats: &'a RouteStats) -> Self {
        Self {
            exchange: exchange.id,
            deadline: exchange.deadline,
            stats,
            explanation: exchange.record.explanation.as_deref(),
            headers: &exchange.request.headers,
        }
    }
}
