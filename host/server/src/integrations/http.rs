//! `http`: the upstream answers.
//!
//! Bodies stream both ways; nothing is buffered, and who does not read slows down who writes. A request is sent again
//! only where that cannot do anything twice: when nothing of it was sent, or when it is safe and the connection had
//! been kept and was closed by the upstream just then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_config::{HttpIntegrationConfig, ValueTemplate};
use gatewright_core::{Body, BodyError, Exchange, Fault, Integration, Problem, ProblemKind, Response, Step};
use http::Version;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use hyper::body::{Body as _, Incoming};

use crate::fields;
use crate::integrations::template::{render, render_path};
use crate::streams::{IncomingBody, Pace, Sender};
use crate::trailers;
use crate::upstream::health::Outcome;
use crate::upstream::pool::{Lease, Time};
use crate::upstream::target::Target;
use crate::upstream::{Failure, Upstream, causes, connect_any};

/// How often a request goes out on connections that turn out to be closed.
const MAX_ATTEMPTS: usize = 4;

/// Passes requests on to an upstream.
pub struct Http {
    upstream: Arc<Upstream>,
    path: Option<ValueTemplate>,
    preserve_host: bool,
    headers: Vec<(HeaderName, ValueTemplate)>,
    via: HeaderValue,
}

impl Integration for Http {
    fn name(&self) -> &str {
        "http"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        Step::waiting(self.ask(exchange))
    }
}

impl Http {
    /// Passes requests on to `upstream` as the configuration says. `via` is what this process calls itself.
    pub fn new(config: &HttpIntegrationConfig, upstream: Arc<Upstream>, via: HeaderValue) -> Self {
        let field = |(name, template): &(String, ValueTemplate)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, template.clone()))
        };
        Self {
            upstream,
            path: config.path.clone(),
            preserve_host: config.preserve_host,
            headers: config.headers.iter().filter_map(field).collect(),
            via,
        }
    }

    async fn ask(&self, exchange: &mut Exchange) -> Result<Response, Problem> {
        let asked = exchange.now;
        let left = exchange.deadline.saturating_duration_since(asked);
        let time = left.min(self.upstream.config.response_timeout);
        let deadline = asked + time;
        let mut body = exchange.body.take();
        let is_whole = body.is_empty();
        let upload = exchange.record.upload.clone().filter(|_| body.is_stream());
        let replayable = is_whole && exchange.request.method.is_safe();
        let budget = &self.upstream.budget;
        budget.earn();
        let mut fresh_only = replayable && !budget.suffices();
        for _ in 0..MAX_ATTEMPTS {
            let (mut lease, target) = connect_any(&self.upstream, fresh_only, exchange.now, deadline).await?;
            exchange.record.upstream = Some(Arc::clone(&target.name));
            let request = self.request(exchange, target, body)?;
            exchange.record.upstream_tries += 1;
            let sent = target.time_of_sending(asked);
            let within = match &upload {
                Some(upload) if !upload.has_ended() => Time::After(Arc::clone(upload), time),
                _ => Time::Until(deadline),
            };
            match lease.send_for(request, within, exchange.interim.as_deref()).await {
                Ok(response) => {
                    let (answered, _) = exchange.look_at_clock();
                    if let Some(upload) = &upload {
                        // The time of the client's body was not the exchange's.
                        let turn = upload.passed_on_at().unwrap_or(answered);
                        exchange.deadline = exchange.deadline.max(turn + left);
                    }
                    let took = answered.saturating_duration_since(asked);
                    exchange.record.upstream_time = Some(took);
                    let status = response.status();
                    exchange.record.upstream_status = Some(status.as_u16());
                    // How long a request with a body takes is the client's business.
                    let own = if is_whole {
                        answered.saturating_duration_since(sent)
                    } else {
                        Duration::ZERO
                    };
                    target.saw(Outcome::Response { status, took: own }, answered);
                    return Ok(self.receive(response, lease, answered));
                }
                Err(Failure::Unsent(unsent)) => body = unsent,
                Err(Failure::Broken { reused: true, .. }) if replayable => {
                    budget.spend();
                    body = Body::empty();
                }
                Err(Failure::Broken { error, .. }) => {
                    let problem = broken(&error);
                    if problem.kind().fault() == Fault::Upstream {
                        target.saw(Outcome::Nothing, Instant::now());
                    }
                    return Err(problem);
                }
                Err(Failure::Late) => {
                    // Where others have used most of the time up it is not to blame.
                    let now = Instant::now();
                    let since = |began: Instant| {
                        let turn = upload.as_ref().and_then(|upload| upload.passed_on_at());
                        now.saturating_duration_since(turn.map_or(began, |turn| turn.max(began)))
                    };
                    if since(sent) * 2 >= since(asked) {
                        target.saw(Outcome::Nothing, now);
                    }
                    let cause = match upload.is_none_or(|upload| upload.has_ended()) {
                        true => "no response in time",
                        false => "the upstream has not taken the request's body in time",
                    };
                    return Err(Problem::new(ProblemKind::IntegrationTimeout).with_cause(cause));
                }
            }
            // One kept connection was closed; the others probably are too.
            fresh_only = true;
        }
        Err(Problem::new(ProblemKind::UpstreamUnavailable).with_cause("the upstream closes every connection"))
    }

    fn request(&self, exchange: &Exchange, target: &Target, body: Body) -> Result<http::Request<Body>, Problem> {
        let mut request = http::Request::new(body);
        *request.method_mut() = exchange.request.method.clone();
        *request.uri_mut() = Uri::from(self.target(exchange, target)?);
        *request.headers_mut() = self.request_headers(exchange, target);
        Ok(request)
    }

    /// The path and query that the upstream sees.
    fn target(&self, exchange: &Exchange, target: &Target) -> Result<PathAndQuery, Problem> {
        if self.path.is_none() && target.base_path.is_empty() {
            return Ok(exchange.request.target.clone());
        }
        let internal = |cause: &str| Problem::new(ProblemKind::InternalError).with_cause(cause);
        let path = match &self.path {
            Some(template) => {
                let path = render_path(template, exchange).ok_or_else(|| internal("the path lacks a parameter"))?;
                // What is harmless in its place may not be in another: `/..{id}` with the id `;x`.
                let encodings = exchange.request.encodings.kept();
                encodings
                    .normalise(&path)
                    .map_err(|error| Problem::new(ProblemKind::BadRequest).with_detail(error.to_string()))?
                    .into_owned()
            }
            None => exchange.request.path().to_owned(),
        };
        let query = exchange
            .request
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        PathAndQuery::try_from(format!("{}{path}{query}", target.base_path))
            .map_err(|_| internal("the rewritten path is not a path"))
    }

    fn request_headers(&self, exchange: &Exchange, target: &Target) -> HeaderMap {
        let mut headers = exchange.request.headers.clone();
        let host = if self.preserve_host {
            &exchange.request.authority
        } else {
            &target.authority
        };
        headers.insert(header::HOST, host.clone());
        for (name, template) in &self.headers {
            match render(template, exchange, None).and_then(|value| HeaderValue::try_from(value).ok()) {
                Some(value) => headers.insert(name.clone(), value),
                // What the gateway vouches for is never the client's to say.
                None => headers.remove(name),
            };
        }
        headers.append(header::VIA, self.via.clone());
        // What a header section says, a trailer must not say otherwise.
        trailers::settle_announcement(&mut headers, |headers, name| !headers.contains_key(name));
        headers
    }

    fn receive(&self, response: http::Response<Incoming>, lease: Lease, now: Instant) -> Response {
        let (mut parts, incoming) = response.into_parts();
        // These are the upstream connection's own, the reason phrase among them.
        parts.version = Version::default();
        parts.extensions.clear();
        fields::clean_response(&mut parts.headers);
        let body = if incoming.is_end_stream() {
            lease.give_back(now);
            Body::empty()
        } else {
            let pace = Pace::new(self.upstream.config.body_timeout, 0);
            Body::stream(IncomingBody::new(
                incoming,
                Sender::Upstream(Some((lease, now))),
                u64::MAX,
                pace,
            ))
        };
        Response::from_parts(parts, body)
    }
}

/// What a connection that broke means to the client. Where its own body was the reason, it is told so.
fn broken(error: &hyper::Error) -> Problem {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(BodyError(problem)) = cause.downcast_ref::<BodyError>() {
            return problem.clone();
        }
        source = cause.source();
    }
    Problem::new(ProblemKind::IntegrationFailure).with_cause(causes(error))
}
