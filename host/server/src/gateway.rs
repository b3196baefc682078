//! One generation of the gateway: what a configuration has become, and the straight line that a request takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_core::{
    AccessRecord, Body, Exchange, ExchangeId, Parameters, Problem, ProblemKind, RateLimit, Recorder, Request, Response,
    RouteName,
};
use http::header::{self, HeaderValue};
use http::{Method, Version};
use hyper::body::{Body as _, Incoming};
use ipnet::IpNet;

use crate::admission::{self, Bounds};
use crate::answer::{self, AnswerBody};
use crate::chain::Chain;
use crate::fields;
use crate::listener::connection::Connection;
use crate::listener::framing::Violation;
use crate::listener::guard::InFlight;
use crate::router::{RouteMatch, RouteRequest, Router};
use crate::streams::{IncomingBody, Sender};

/// What goes back to hyper.
pub type Answer = http::Response<AnswerBody>;

/// One generation of the gateway. Immutable; a reload makes another and swaps it in whole.
pub struct Gateway {
    /// What each listener serves, by its name.
    pub listeners: HashMap<Arc<str>, Service>,
    /// The routes, as the routers number them.
    pub routes: Vec<Route>,
    /// Takes the access records of requests that find no route.
    pub recorder: Arc<dyn Recorder>,
    /// Counts generations, from 1.
    pub generation: u64,
}

/// What one listener serves.
pub struct Service {
    /// Finds routes.
    pub router: Router,
    /// Bounds of a request's head.
    pub bounds: Bounds,
    /// Bytes of a request body, where the route does not say.
    pub body_bytes: u64,
    /// Pauses of a request body.
    pub body_timeout: Duration,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// One route.
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// Its stages and integration.
    pub chain: Chain,
    /// How long an exchange may take.
    pub timeout: Duration,
    /// Bytes of a request body.
    pub body_bytes: Option<u64>,
    /// Takes its access records.
    pub recorder: Arc<dyn Recorder>,
}

impl Gateway {
    /// Serves one request. Cannot fail: whatever goes wrong becomes a response, and exactly one access record is
    /// written whichever way the exchange ends, even if this future is dropped.
    pub async fn handle(&self, connection: &Connection, id: ExchangeId, request: http::Request<Incoming>) -> Answer {
        let (in_flight, violation) = connection.watch.begin();
        let (parts, body) = request.into_parts();
        let mut record = self.record(connection, id, &parts.method, parts.version);
        record.authority = parts.headers.get(header::HOST).cloned();
        record.target = parts.uri.path_and_query().cloned();
        let expects_body = parts.method != Method::HEAD;

        let (route, mut exchange) = match self.admit(connection, parts, violation, body, record) {
            Ok(found) => found,
            Err((mut record, problem)) => {
                let response = answer::problem(&mut record, &problem);
                return finish(response, record, in_flight, expects_body, connection);
            }
        };
        let response = route.chain.serve(&mut exchange).await;
        let Exchange { record, rate_limit, .. } = exchange;
        let response = with_rate_limit(response, rate_limit);
        finish(response, record, in_flight, expects_body, connection)
    }

    fn record(&self, connection: &Connection, id: ExchangeId, method: &Method, version: Version) -> AccessRecord {
        AccessRecord::new(
            id,
            Arc::clone(&connection.listener),
            connection.peer.client.clone(),
            method.clone(),
            version,
            Arc::clone(&self.recorder),
        )
    }

    /// Checks the request and finds its route; from here on there is an exchange.
    fn admit(
        &self,
        connection: &Connection,
        parts: http::request::Parts,
        violation: Option<Violation>,
        body: Incoming,
        mut record: AccessRecord,
    ) -> Result<(&Route, Exchange), (AccessRecord, Problem)> {
        let Some(service) = self.listeners.get(&connection.listener) else {
            return Err((record, ProblemKind::ServiceUnavailable.into()));
        };
        let mut request = match admission::admit(parts, violation, connection.peer.client.tls, &service.bounds) {
            Ok(request) => request,
            Err(problem) => return Err((record, problem)),
        };
        record.authority = Some(request.authority.clone());
        fields::remove_hop_by_hop(&mut request.headers);
        let client = connection.peer.settle(&mut request, &service.trusted_proxies);
        record.client = client.clone();
        let (index, parameters) = match find(&service.router, &request) {
            Ok(found) => found,
            Err(problem) => return Err((record, problem)),
        };
        let Some(route) = self.routes.get(index) else {
            return Err((record, ProblemKind::InternalError.into()));
        };
        record.route = Some(Arc::clone(&route.name));
        record.record_to(Arc::clone(&route.recorder));
        let limit = route.body_bytes.unwrap_or(service.body_bytes);
        let body = match take_body(body, limit, service.body_timeout, &mut record) {
            Ok(body) => body,
            Err(problem) => return Err((record, problem)),
        };
        let exchange = Exchange {
            id: record.id,
            received: record.received,
            deadline: record.started + route.timeout,
            client,
            request,
            body,
            route: Arc::clone(&route.name),
            parameters,
            attributes: Default::default(),
            rate_limit: None,
            record,
        };
        Ok((route, exchange))
    }
}

fn find(router: &Router, request: &Request) -> Result<(usize, Parameters), Problem> {
    let asked = RouteRequest {
        host: &request.host,
        method: &request.method,
        path: request.path(),
        query: request.query(),
        headers: &request.headers,
    };
    match router.find(&asked) {
        RouteMatch::Found { route, parameters } => Ok((route, parameters)),
        RouteMatch::NotFound => Err(ProblemKind::ResourceNotFound.into()),
        RouteMatch::MethodNotAllowed { allow } => {
            let problem = Problem::new(ProblemKind::MethodNotAllowed);
            Err(match HeaderValue::try_from(allow) {
                Ok(allow) => problem.with_header(header::ALLOW, allow),
                Err(_) => problem,
            })
        }
    }
}

/// The body as stages see it. One that says itself that it is too large is refused before a byte of it is asked for.
fn take_body(body: Incoming, limit: u64, patience: Duration, record: &mut AccessRecord) -> Result<Body, Problem> {
    if body.is_end_stream() {
        return Ok(Body::empty());
    }
    if body.size_hint().lower() > limit {
        return Err(Problem::new(ProblemKind::RequestTooLarge).closing());
    }
    let counter = Arc::new(AtomicU64::new(0));
    record.request_bytes = Some(Arc::clone(&counter));
    Ok(Body::stream(IncomingBody::new(
        body,
        Sender::Client,
        limit,
        patience,
        Some(counter),
    )))
}

fn with_rate_limit(mut response: Response, rate_limit: Option<RateLimit>) -> Response {
    if let Some(rate_limit) = rate_limit {
        let headers = response.headers_mut();
        headers.insert(fields::RATELIMIT_LIMIT, rate_limit.limit.into());
        headers.insert(fields::RATELIMIT_REMAINING, rate_limit.remaining.into());
        headers.insert(
            fields::RATELIMIT_RESET,
            HeaderValue::from(answer::whole_seconds(rate_limit.reset)),
        );
    }
    response
}

fn finish(
    response: Response,
    mut record: AccessRecord,
    in_flight: InFlight,
    expects_body: bool,
    connection: &Connection,
) -> Answer {
    record.status = Some(response.status().as_u16());
    let expects_body = expects_body && !matches!(response.status().as_u16(), 204 | 304);
    let mut response = response.map(|body| AnswerBody::new(body, record, in_flight, expects_body));
    if connection.must_close() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A new exchange's id.
pub fn next_id() -> ExchangeId {
    static PROCESS: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let process = *PROCESS.get_or_init(process_id);
    ExchangeId {
        process,
        number: NUMBER.fetch_add(1, Ordering::Relaxed),
    }
}

/// A number that other processes hardly have.
pub fn process_id() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds its hasher from the system's random numbers.
    static ID: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *ID.get_or_init(|| {
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_u128(Instant::now().elapsed().as_nanos());
        hasher.finish()
    })
}
