//! A candidate that serves its share of the requests.

use std::sync::Arc;

use gatewright_core::{Exchange, Flow, Integration, Problem, Response, Stage, Step};

use super::probation::Probation;

/// A stage of two versions: each exchange meets one of them, in both directions.
pub struct CanaryStage {
    serving: Arc<dyn Stage>,
    candidate: Arc<dyn Stage>,
    probation: Arc<Probation>,
}

impl CanaryStage {
    /// Of the version that serves and the one on trial.
    pub fn new(serving: Arc<dyn Stage>, candidate: Arc<dyn Stage>, probation: Arc<Probation>) -> Self {
        Self {
            serving,
            candidate,
            probation,
        }
    }
}

impl Stage for CanaryStage {
    fn name(&self) -> &str {
        self.serving.name()
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if !self.probation.has(exchange) {
            return self.serving.on_request(exchange);
        }
        self.probation.served();
        self.candidate.on_request(exchange)
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        match self.probation.has(exchange) {
            true => self.candidate.on_response(exchange, response),
            false => self.serving.on_response(exchange, response),
        }
    }

    fn sees_responses(&self) -> bool {
        // They export the same.
        self.serving.sees_responses()
    }
}

/// An integration of two versions.
pub struct CanaryIntegration {
    serving: Arc<dyn Integration>,
    candidate: Arc<dyn Integration>,
    probation: Arc<Probation>,
}

impl CanaryIntegration {
    /// Of the version that serves and the one on trial.
    pub fn new(serving: Arc<dyn Integration>, candidate: Arc<dyn Integration>, probation: Arc<Probation>) -> Self {
        Self {
            serving,
            candidate,
            probation,
        }
    }
}

impl Integration for CanaryIntegration {
    fn name(&self) -> &str {
        self.serving.name()
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        if !self.probation.has(exchange) {
            return self.serving.call(exchange);
        }
        self.probation.served();
        self.candidate.call(exchange)
    }
}
