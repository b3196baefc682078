//! One generation of the gateway: what a configuration has become, and the straight line that a request takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_config::Underscores;
use gatewright_core::path::{Encoding, Encodings};
use gatewright_core::{
    AccessRecord, Attributes, Body, Counted, Exchange, ExchangeId, Interim, Parameters, Problem, ProblemKind,
    RateLimit, Recorder, Request, Response, RouteName, Upload,
};
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http_body::Body as _;

use crate::admission::{self, Asked, Bounds};
use crate::answer::{self, AnswerBody};
use crate::chain::Chain;
use crate::explain::Explainer;
use crate::fields;
use crate::forwarded::Trust;
use crate::listener::connection::Connection;
use crate::listener::framing::Violation;
use crate::listener::guard::InFlight;
use crate::noting::Noting;
use crate::received::Received;
use crate::router::{PreflightMatch, RouteMatch, RouteRequest, Router};
use crate::stages::cors::{Cors, asked_about};
use crate::streams::{IncomingBody, Pace, Sender};
use crate::upstream::anticipates_content;

/// What goes back to hyper.
pub type Answer = http::Response<AnswerBody>;

/// How a route may have a path decoded that has none as it was sent.
const DECODED: [Encodings; 3] = {
    const fn of(slash: Encoding, percent: Encoding) -> Encodings {
        Encodings { slash, percent }
    }
    [
        of(Encoding::Decode, Encoding::Keep),
        of(Encoding::Keep, Encoding::Decode),
        of(Encoding::Decode, Encoding::Decode),
    ]
};

/// One generation of the gateway. Immutable; a reload makes another and swaps it in whole.
pub struct Gateway {
    /// What each listener serves, by its name, in the order of the names.
    pub listeners: Vec<(Arc<str>, Service)>,
    /// The routes, as the routers number them.
    pub routes: Vec<Route>,
    /// Stands for the route of requests that have none yet.
    pub no_route: RouteName,
    /// Takes the access records of requests that find no route.
    pub recorder: Arc<dyn Recorder>,
    /// Notes what the access log asks for, where it asks for more than records know.
    pub noting: Option<Noting>,
    /// Explains requests, where that is switched on.
    pub explainer: Option<Explainer>,
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
    /// How slowly a request body may come.
    pub pace: Pace,
    /// Proxies that are believed when they say where a request comes from.
    pub trust: Trust,
}

/// One route.
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// Its stages and integration.
    pub chain: Chain,
    /// Which percent-encoding its paths may have.
    pub encodings: Encodings,
    /// How long an exchange may take.
    pub timeout: Duration,
    /// Bytes of a request body.
    pub body_bytes: Option<u64>,
    /// Takes its access records.
    pub recorder: Arc<dyn Recorder>,
    /// The stage of its chain that answers preflight requests, whatever methods the route is for, and says who may read
    /// answers that are given before the chain.
    pub cors: Option<Cors>,
}

impl Gateway {
    /// Serves one request. Cannot fail: whatever goes wrong becomes a response, and exactly one access record is
    /// written whichever way the exchange ends, even if this future is dropped.
    pub async fn handle(
        &self,
        connection: &Connection,
        id: ExchangeId,
        request: http::Request<Received>,
        interim: Option<Arc<dyn Interim>>,
    ) -> Answer {
        let (in_flight, mut violation) = connection.watch.begin();
        let (mut exchange, uri, mut body) = self.begin(connection, id, request);
        exchange.interim = interim;
        if let Received::Http2(body) = &mut body {
            violation = connection.watch.violation_of_stream(body.stream());
            if !anticipates_content(&exchange.request.method) {
                body.look_ahead(connection.patience.write).await;
            }
        }
        let mut response = match self.admit(connection, &mut exchange, &uri, violation, body) {
            Ok(Some(route)) => route.chain.serve(&mut exchange).await,
            Ok(None) => answer::capabilities(),
            Err(refusal) => refusal.answer(&mut exchange),
        };
        if let Some(noting) = &self.noting {
            noting.end(&mut exchange, response.status());
        }
        if let Some(explainer) = &self.explainer {
            explainer.end(&mut exchange, &mut response);
        }
        finish(response, exchange, in_flight, connection)
    }

    /// The exchange as it begins, before anything of the request has been looked at.
    fn begin(
        &self,
        connection: &Connection,
        id: ExchangeId,
        request: http::Request<Received>,
    ) -> (Exchange, Uri, Received) {
        let (parts, body) = request.into_parts();
        let client = &connection.peer.client;
        let mut record = AccessRecord::new(
            id,
            Arc::clone(&connection.listener),
            client.clone(),
            parts.method.clone(),
            parts.version,
            Arc::clone(&self.recorder),
        );
        record.authority = parts.headers.get(header::HOST).cloned();
        record.target = parts.uri.path_and_query().cloned();
        if let Some(noting) = &self.noting {
            noting.begin(&mut record, &parts.headers);
        }
        let exchange = Exchange {
            id,
            now: record.started,
            deadline: record.started,
            client: client.clone(),
            request: Request {
                method: parts.method,
                secure: client.tls,
                authority: HeaderValue::from_static(""),
                host: String::new(),
                target: PathAndQuery::from_static("/"),
                version: parts.version,
                encodings: Encodings::default(),
                headers: parts.headers,
            },
            body: Body::empty(),
            route: Arc::clone(&self.no_route),
            parameters: Parameters::default(),
            attributes: Attributes::default(),
            for_response: HeaderMap::new(),
            rate_limit: None,
            interim: None,
            record,
        };
        (exchange, parts.uri, body)
    }

    /// Checks the request and finds its route; from here on everything in the exchange can be relied on. There is none for
    /// a request that asks about the gateway itself.
    fn admit(
        &self,
        connection: &Connection,
        exchange: &mut Exchange,
        uri: &Uri,
        violation: Option<Violation>,
        body: Received,
    ) -> Result<Option<&Route>, Refusal<'_>> {
        let service = self.service(&connection.listener).ok_or_else(|| {
            Problem::new(ProblemKind::ServiceUnavailable).with_cause("the listener serves nothing any more")
        })?;
        let asked = admission::admit(&mut exchange.request, uri, violation, &service.bounds)?;
        exchange.record.authority = Some(exchange.request.authority.clone());
        fields::clean_request(&mut exchange.request.headers);
        let Exchange { client, request, .. } = &mut *exchange;
        let settled = connection.peer.settle(client, request, &service.trust);
        exchange.record.client = exchange.client.clone();
        settled?;
        exchange.record.authority = Some(exchange.request.authority.clone());
        if let Some(explainer) = &self.explainer {
            explainer.begin(&connection.listener, exchange);
        }
        if asked == Asked::Server {
            return Ok(None);
        }
        let (index, parameters) = self.find_as_read(service, &mut exchange.request)?;
        let route = self
            .routes
            .get(index)
            .ok_or_else(|| Problem::new(ProblemKind::InternalError))?;
        exchange.parameters = parameters;
        exchange.route = Arc::clone(&route.name);
        exchange.deadline = exchange.now + route.timeout;
        exchange.record.route = Some(Arc::clone(&route.name));
        exchange.record.record_to(Arc::clone(&route.recorder));
        let limit = route.body_bytes.unwrap_or(service.body_bytes);
        exchange.body = take_body(body, limit, service, &mut exchange.record)
            .map_err(|problem| Refusal::of(problem, Some(route)))?;
        Ok(Some(route))
    }

    /// The route that serves a request, and its path as that route reads it.
    ///
    /// Where routes let encodings through that others refuse, the path is not settled before the route is known. What is
    /// decoded must be for the same route afterwards, or nobody knows whose rules it is to pass.
    fn find_as_read(&self, service: &Service, request: &mut Request) -> Result<(usize, Parameters), Refusal<'_>> {
        if service.bounds.encodings == Encodings::default() || !request.path().contains('%') {
            return self.find(&service.router, request);
        }
        let found = match self.find(&service.router, request) {
            Ok(found) => found,
            // It may be for a route as that reads it.
            Err(refusal) => return self.find_decoded(service, request).ok_or(refusal),
        };
        let route = self.routes.get(found.0);
        request.encodings = route.map_or(Encodings::default(), |route| route.encodings);
        let read = admission::as_the_route_reads_it(&request.target, request.encodings);
        let Some(read) = read.map_err(|problem| Refusal::of(problem, route))? else {
            return Ok(found);
        };
        request.target = read;
        match self.find(&service.router, request) {
            Ok((index, parameters)) if index == found.0 => Ok((index, parameters)),
            _ => {
                let problem = admission::bad_request("the path is for another route when it is decoded");
                Err(Refusal::of(problem, route))
            }
        }
    }

    /// The route of a request whose path has one only when it is decoded, if that route has it decoded so.
    fn find_decoded(&self, service: &Service, request: &mut Request) -> Option<(usize, Parameters)> {
        let as_sent = request.target.clone();
        for encodings in DECODED {
            let Ok(Some(target)) = admission::as_the_route_reads_it(&as_sent, encodings) else {
                continue;
            };
            request.target = target;
            if let Ok((index, parameters)) = self.find(&service.router, request)
                && let Some(route) = self.routes.get(index)
                && let Ok(Some(read)) = admission::as_the_route_reads_it(&as_sent, route.encodings)
                && read == request.target
            {
                request.encodings = route.encodings;
                return Some((index, parameters));
            }
        }
        request.target = as_sent;
        None
    }

    /// The route that serves a request. A preflight request is for the route of the request that it asks about, if that
    /// one answers such, and else a request like any other.
    fn find(&self, router: &Router, request: &Request) -> Result<(usize, Parameters), Refusal<'_>> {
        let answers = |index: usize| self.routes.get(index).is_some_and(|route| route.cors.is_some());
        let asked = RouteRequest::new(request, &request.method);
        let mut is_closed = false;
        if let Some(method) = asked_about(&request.method, &request.headers) {
            let about = RouteRequest {
                preflight: true,
                ..RouteRequest::new(request, &method)
            };
            match router.find_preflight(&about, answers) {
                PreflightMatch::Found { route, parameters } => return Ok((route, parameters)),
                PreflightMatch::Closed => is_closed = true,
                PreflightMatch::Open => {}
            }
        }
        match router.find(&asked) {
            // It would say yes to a request that another route gets.
            RouteMatch::Found { route, .. } if is_closed && answers(route) => {
                Err(not_allowed(router.allow(&asked)).into())
            }
            RouteMatch::Found { route, parameters } => Ok((route, parameters)),
            RouteMatch::NotFound => Err(self.refusal(ProblemKind::ResourceNotFound.into(), router, &asked)),
            RouteMatch::MethodNotAllowed { allow } => Err(self.refusal(not_allowed(allow), router, &asked)),
        }
    }

    /// No route serves the request. Who may read that is said by a route that has its path.
    fn refusal(&self, problem: Problem, router: &Router, asked: &RouteRequest<'_>) -> Refusal<'_> {
        let says = |index: usize| self.routes.get(index).is_some_and(|route| route.cors.is_some());
        let route = router.of_path(asked, says).and_then(|index| self.routes.get(index));
        Refusal::of(problem, route)
    }

    fn service(&self, listener: &str) -> Option<&Service> {
        let index = self
            .listeners
            .binary_search_by(|(name, _)| (**name).cmp(listener))
            .ok()?;
        self.listeners.get(index).map(|(_, service)| service)
    }
}

/// A request that does not get as far as a chain.
struct Refusal<'g> {
    problem: Problem,
    /// The stage of the route that the request is for, or would be for, that says who may read the answer.
    cors: Option<&'g Cors>,
}

impl<'g> Refusal<'g> {
    fn of(problem: Problem, route: Option<&'g Route>) -> Self {
        Self {
            problem,
            cors: route.and_then(|route| route.cors.as_ref()),
        }
    }

    fn answer(self, exchange: &mut Exchange) -> Response {
        let mut response = answer::problem(&mut exchange.record, &self.problem);
        if let Some(cors) = self.cors {
            cors.say_before(&exchange.request.headers, response.headers_mut());
        }
        response
    }
}

impl From<Problem> for Refusal<'_> {
    fn from(problem: Problem) -> Self {
        Self::of(problem, None)
    }
}

/// The path has routes, for other methods: these.
fn not_allowed(allow: String) -> Problem {
    let problem = Problem::new(ProblemKind::MethodNotAllowed);
    match HeaderValue::try_from(allow) {
        Ok(allow) if !allow.is_empty() => problem.with_header(header::ALLOW, allow),
        _ => problem,
    }
}

/// The body as stages see it. One that says itself that it is too large is refused before a byte of it is asked for.
fn take_body(mut body: Received, limit: u64, service: &Service, record: &mut AccessRecord) -> Result<Body, Problem> {
    if let Received::Http2(body) = &mut body {
        body.look();
    }
    if body.is_end_stream() {
        return Ok(Body::empty());
    }
    let length = body.size_hint().lower();
    if length > limit {
        let problem = Problem::new(ProblemKind::RequestTooLarge);
        let cause = format_args!("a body of {length} bytes; at most {limit} are taken");
        return Err(problem.with_cause(cause).closing());
    }
    let upload = Arc::new(Upload::new(record.started));
    record.upload = Some(Arc::clone(&upload));
    let sender = Sender::Client {
        upload,
        underscores: service.bounds.underscores == Underscores::Accept,
    };
    Ok(Body::stream(IncomingBody::new(body, sender, limit, service.pace)))
}

/// The response with what the gateway has to say in it, on its way to the client.
fn finish(response: Response, exchange: Exchange, in_flight: InFlight, connection: &Connection) -> Answer {
    let Exchange {
        rate_limit, mut record, ..
    } = exchange;
    record.status = Some(response.status().as_u16());
    // The method as sent: a plugin may have asked the upstream with another.
    let expects_body = record.method != Method::HEAD && !matches!(response.status().as_u16(), 204 | 304);
    let mut response = response.map(|body| AnswerBody::new(body, record, in_flight, expects_body));
    let headers = response.headers_mut();
    if let Some(rate_limit) = rate_limit {
        tell_limit(headers, rate_limit);
    }
    if connection.must_close() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Tells the client what it may still do.
fn tell_limit(headers: &mut HeaderMap, limit: RateLimit) {
    let unusual = match limit.counted {
        Counted::AsConfigured => None,
        Counted::Locally => Some("local"),
        Counted::NotAtAll => Some("off"),
    };
    if let Some(unusual) = unusual {
        headers.insert(fields::X_GATEWRIGHT_LIMIT, HeaderValue::from_static(unusual));
    }
    if limit.counted != Counted::NotAtAll {
        headers.insert(fields::RATELIMIT_LIMIT, limit.limit.into());
        headers.insert(fields::RATELIMIT_REMAINING, limit.remaining.into());
        headers.insert(fields::RATELIMIT_RESET, answer::whole_seconds(limit.reset).into());
    }
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
