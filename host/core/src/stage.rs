//! One link of a route's chain, built in or a plugin: the chain cannot tell.

use crate::{Exchange, Problem, Response, Step};

/// What becomes of an exchange after a stage has seen its request.
#[must_use]
#[derive(Debug)]
pub enum Flow {
    /// On to the next stage, in the end to the integration.
    Proceed,
    /// Answered here: neither later stages nor the integration run. Stages before this one still see the response.
    Answer(Box<Response>),
}

/// One link of a route's chain.
///
/// A stage is made once for each use in a route and serves all its exchanges at the same time, so its state is
/// shared and must not wait for other exchanges.
pub trait Stage: Send + Sync {
    /// The kind's name as the configuration writes it (`throttle`), or the plugin's. Label of its metrics.
    fn name(&self) -> &str;

    /// Runs once for every request that all stages before it let pass, in the order of the chain.
    ///
    /// An `Err` ends the way in: the exchange fails with that problem, and the stages that let the request pass see
    /// the response made of it. A stage must not leave half an edit behind when it fails: it changes the exchange
    /// only once it is sure to proceed.
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>>;

    /// Runs once for every request that this stage let pass, in reverse order, whatever became of it later: also
    /// for answers of later stages and for problems.
    ///
    /// An `Err` replaces the response by that problem's. It must not assume that an upstream was asked.
    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let _ = (exchange, response);
        Step::ready(Ok(()))
    }

    /// Whether [`Stage::on_response`] does anything; the chain leaves out stages that say no.
    fn sees_responses(&self) -> bool {
        false
    }
}
