//! Asks an upstream something on behalf of an exchange, and reads the whole answer: what stages do that leave a decision to
//! somebody else. The exchange's own body has no part in it.

use std::time::Instant;

use bytes::Bytes;
use gatewright_core::{Body, Problem, ProblemKind};
use http::header::{self, HeaderValue};
use http::uri::{PathAndQuery, Uri};

use super::call::receive;
use super::health::Outcome;
use super::target::Target;
use super::{Failure, Upstream, causes, connect_any};

/// How often a request goes out on connections that turn out to be closed.
const MAX_ATTEMPTS: usize = 4;

/// Sends `request`, whose URI is a path and a query, by the `deadline`, and reads an answer with a body of `limit` bytes at most.
/// A request that was sent and perhaps read is sent again only if its method is safe.
///
/// # Errors
/// [`ProblemKind::AuthorizerFailure`], with what went wrong as its cause: nothing of it means that a request may pass.
pub async fn ask(
    upstream: &Upstream,
    request: &http::Request<Bytes>,
    deadline: Instant,
    limit: usize,
) -> Result<http::Response<Bytes>, Problem> {
    let failed = |cause: String| {
        let cause = format!("upstream `{}`: {cause}", upstream.name);
        Problem::new(ProblemKind::AuthorizerFailure).with_cause(cause)
    };
    let replayable = request.method().is_safe();
    upstream.budget.earn();
    let mut fresh_only = replayable && !upstream.budget.suffices();
    for _ in 0..MAX_ATTEMPTS {
        let connected = connect_any(upstream, fresh_only, Instant::now(), deadline).await;
        let (mut lease, target) =
            connected.map_err(|problem| failed(problem.cause().unwrap_or("unreachable").to_owned()))?;
        let addressed = addressed(request, target).ok_or_else(|| failed("its path is no path".to_owned()))?;
        let sent = Instant::now();
        match lease.send(addressed, deadline).await {
            Ok(response) => {
                let now = Instant::now();
                let (status, took) = (response.status(), now.saturating_duration_since(sent));
                target.saw(Outcome::Response { status, took }, now);
                let received = receive(response, lease, deadline, limit).await;
                return received.map_err(|error| failed(error.to_string()));
            }
            Err(Failure::Unsent(_)) => {}
            Err(Failure::Broken { reused: true, .. }) if replayable => upstream.budget.spend(),
            Err(Failure::Broken { error, .. }) => {
                target.saw(Outcome::Nothing, Instant::now());
                return Err(failed(causes(&error)));
            }
            Err(Failure::Late) => {
                target.saw(Outcome::Nothing, Instant::now());
                return Err(failed("no answer in time".to_owned()));
            }
        }
        // One kept connection was closed; the others probably are too.
        fresh_only = true;
    }
    Err(failed("it closes every connection".to_owned()))
}

/// The request for a target: behind its base path, and with its authority.
fn addressed(request: &http::Request<Bytes>, target: &Target) -> Option<http::Request<Body>> {
    let mut sent = http::Request::new(Body::full(request.body().clone()));
    *sent.method_mut() = request.method().clone();
    *sent.headers_mut() = request.headers().clone();
    sent.headers_mut().insert(header::HOST, target.authority.clone());
    if !request.body().is_empty() {
        let length = HeaderValue::from(request.body().len());
        sent.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    *sent.uri_mut() = Uri::from(PathAndQuery::try_from(format!("{}{path}", target.base_path)).ok()?);
    Some(sent)
}
