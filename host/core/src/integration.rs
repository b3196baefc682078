//! What answers a route.

use crate::{Exchange, Problem, Response, Step};

/// What answers a route: an upstream, a static response, a plugin.
pub trait Integration: Send + Sync {
    /// The kind's name as the configuration writes it: `http`, `respond`, `plugin`.
    fn name(&self) -> &str;

    /// Runs at most once for an exchange, after every stage let it pass. Takes the request's body out of the
    /// exchange; dropping the returned step cancels the call.
    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>>;
}
