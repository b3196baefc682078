//! A plugin as an integration: it is the upstream.

use std::sync::Arc;

use gatewright_core::body::CollectError;
use gatewright_core::{Exchange, Integration, Problem, ProblemKind, Response, Step};

use crate::api::{Handle, View};
use crate::metrics::RouteStats;
use crate::runtime::{Cause, Runtime};

/// One use of a plugin as a route's integration.
pub(crate) struct PluginIntegration {
    runtime: Arc<Runtime>,
    stats: Arc<RouteStats>,
    body_bytes: u64,
}

impl PluginIntegration {
    pub(crate) fn new(runtime: Arc<Runtime>, stats: Arc<RouteStats>, body_bytes: u64) -> Self {
        Self {
            runtime,
            stats,
            body_bytes,
        }
    }

    async fn answer(&self, exchange: &mut Exchange) -> Result<Response, Problem> {
        let plugin = self.runtime.plugin();
        let name = &plugin.caller().name;
        let body = exchange
            .collect_body(self.body_bytes)
            .await
            .map_err(|error| match error {
                CollectError::TooLarge => Problem::new(ProblemKind::RequestTooLarge).with_cause(format!(
                    "plugin `{name}`: the body has more than the {} that `body` of its use allows",
                    self.body_bytes
                )),
                CollectError::Body(error) => error.0,
            })?;
        let cause = Cause::of(exchange, &self.stats);
        let hook = Handle {
            view: View::of(exchange),
            needs: plugin.needs(),
            body: &body,
        };
        let answer = self
            .runtime
            .call(&hook, cause)
            .await
            .map_err(|failure| failure.problem(name, false))?;
        Ok(answer.into_response())
    }
}

impl Integration for PluginIntegration {
    fn name(&self) -> &str {
        "plugin"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        Step::waiting(self.answer(exchange))
    }
}
