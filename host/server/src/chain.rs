//! A route's chain: requests go down, responses come up.

use std::sync::Arc;

use gatewright_core::{Exchange, Flow, Integration, Problem, Response, Stage};

use crate::answer;
use crate::telemetry::StageMetrics;

/// The stages of a route and what they lead to.
pub struct Chain {
    links: Vec<Link>,
    integration: Arc<dyn Integration>,
}

/// A stage and the numbers kept of it.
pub struct Link {
    /// The stage.
    pub stage: Arc<dyn Stage>,
    /// Its name, as access records have it.
    pub name: Arc<str>,
    /// Its numbers.
    pub metrics: StageMetrics,
}

impl Chain {
    /// A chain of these stages, in this order.
    pub fn new(links: Vec<Link>, integration: Arc<dyn Integration>) -> Self {
        Self { links, integration }
    }

    /// Serves one exchange. There always is a response: a problem becomes one here, so that the stages above it see
    /// what the client will.
    pub async fn serve(&self, exchange: &mut Exchange) -> Response {
        let mut passed = 0;
        let outcome = match self.request(exchange, &mut passed).await {
            Ok(Flow::Proceed) => self.integration.call(exchange).await,
            Ok(Flow::Answer(response)) => Ok(*response),
            Err(problem) => Err(problem),
        };
        let mut response = outcome.unwrap_or_else(|problem| answer::problem(&mut exchange.record, &problem));
        self.response(exchange, &mut response, passed).await;
        response
    }

    /// Down: each stage sees the request until one answers or fails. `passed` counts those that let it pass.
    async fn request(&self, exchange: &mut Exchange, passed: &mut usize) -> Result<Flow, Problem> {
        for link in &self.links {
            let flow = link.stage.on_request(exchange).await;
            let (_, took) = exchange.look_at_clock();
            link.metrics.request(&flow, took);
            if !matches!(flow, Ok(Flow::Proceed)) {
                exchange.record.answered_by = Some(Arc::clone(&link.name));
                return flow;
            }
            *passed += 1;
        }
        Ok(Flow::Proceed)
    }

    /// Up: the stages that let the request pass see the response, the last one first.
    async fn response(&self, exchange: &mut Exchange, response: &mut Response, passed: usize) {
        let passed = self.links.get(..passed).unwrap_or_default();
        if passed.iter().any(|link| link.stage.sees_responses()) {
            exchange.look_at_clock();
        }
        for link in passed.iter().rev() {
            if !link.stage.sees_responses() {
                continue;
            }
            let result = link.stage.on_response(exchange, response).await;
            let (_, took) = exchange.look_at_clock();
            link.metrics.response(&result, took);
            if let Err(problem) = result {
                exchange.record.answered_by = Some(Arc::clone(&link.name));
                *response = answer::problem(&mut exchange.record, &problem);
            }
        }
    }
}
