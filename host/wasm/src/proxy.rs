//! A component of `wasi:http` as an integration: it knows nothing of Gatewright, gets a request as it would get one anywhere, and
//! streams its answer.
//!
//! The guest runs in a task of its own, because it goes on after its response has begun. It has its instance and its place as
//! long as it runs, and no longer than somebody wants its response: [`body`] holds the other end.

mod body;
mod received;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bytes::Bytes;
use gatewright_core::{Body, Exchange, ExchangeId, Integration, Problem, Response, Step};
use http::header::{CONTENT_LENGTH, HOST, TRAILER};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout_at;
use wasmtime_wasi_http::WasiBody;

use self::body::{Ending, Guest, ProxyBody};
use self::received::Received;
use crate::api::{self, Answered, Asked};
use crate::breaker::Pass;
use crate::call;
use crate::failure::{Failure, Fault, OutputError, TrapReason};
use crate::instance::{Instance, is_exhausted};
use crate::kind::PluginKind;
use crate::metrics::RouteStats;
use crate::runtime::Runtime;

/// One use of a component as a route's integration.
pub(crate) struct ProxyIntegration {
    runtime: Arc<Runtime>,
    stats: Arc<RouteStats>,
}

impl Integration for ProxyIntegration {
    fn name(&self) -> &str {
        "plugin"
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        Step::waiting(self.answer(exchange))
    }
}

impl ProxyIntegration {
    pub(crate) fn new(runtime: Arc<Runtime>, stats: Arc<RouteStats>) -> Self {
        Self { runtime, stats }
    }

    async fn answer(&self, exchange: &mut Exchange) -> Result<Response, Problem> {
        let (id, deadline) = (exchange.id, exchange.deadline);
        let secure = exchange.request.secure;
        let asked = Arc::default();
        let request = request(exchange, &asked);
        let answered = self.ask(request, asked, secure, id, deadline).await;
        answered.map_err(|failure| failure.problem(&self.runtime.plugin().caller().name, false))
    }

    /// A place among the calls that may run, and since when.
    async fn admit(&self, deadline: Instant) -> Result<(Pass, OwnedSemaphorePermit, Instant), Failure> {
        let pass = self.runtime.admit(PluginKind::Integration)?;
        let plugin = self.runtime.plugin();
        let (place, now) = plugin.place_of_its_own(Instant::now(), deadline, &self.stats).await?;
        Ok((pass, place, now))
    }

    /// Starts the guest and waits for its response to begin.
    async fn ask(
        &self,
        request: Request<WasiBody>,
        received: Arc<AtomicBool>,
        secure: bool,
        exchange: ExchangeId,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let runtime = &self.runtime;
        let admitted = self.admit(deadline).await;
        if admitted.is_err() {
            let measured = self.stats.measure(PluginKind::Integration);
            runtime.count(&self.stats, measured, &admitted);
        }
        let (pass, place, now) = admitted?;
        let (answer, mut answered) = oneshot::channel();
        let (outcome, mut ended) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let (all, taken) = oneshot::channel();
        let has_body = request.method() != Method::HEAD;
        let asked = Asked { request, secure, taken };
        let fed = Arc::new(AtomicBool::new(false));
        let call = Call {
            runtime: Arc::clone(runtime),
            stats: Arc::clone(&self.stats),
            exchange,
            fed: Arc::clone(&fed),
        };
        let task = tokio::spawn(async move {
            let _place = place;
            call.run(asked, answer, outcome, released, pass).await;
        });
        // From here on the guest ends with this, whatever becomes of it.
        let guest = Guest::new(task, release, all, fed, Arc::clone(runtime));
        let time = now + runtime.plugin().caller().limits.time;
        // Its answer, or its end: of one that ends without an answer nothing more comes.
        let first = async {
            tokio::select! {
                biased;
                answered = &mut answered => match answered {
                    Ok(answered) => (Some(answered), None),
                    // It has thrown the way to answer away, and can only end.
                    Err(_) => (None, Some(end_of((&mut ended).await))),
                },
                ended = &mut ended => (answered.try_recv().ok(), Some(end_of(ended))),
            }
        };
        let (answered, end) = match timeout_at(time.min(deadline).into(), first).await {
            Ok(first) => first,
            Err(_late) if deadline < time => return Err(Failure::ExchangeOver),
            Err(_late) => {
                runtime.gave_up(PluginKind::Integration, pass, &self.stats, &Failure::TimeExceeded);
                return Err(Failure::TimeExceeded);
            }
        };
        match (answered, end) {
            (Some(Ok(response)), end) => {
                let ending = match end {
                    None => Ending::Waited(ended),
                    Some(end) => Ending::Known(end),
                };
                head(response, has_body, received, guest, ending)
            }
            (Some(Err(code)), _) => Err(Failure::Fault(Fault {
                unavailable: false,
                name: "error-code",
                text: code,
            })),
            (None, Some(Err(failure))) => Err(failure),
            (None, Some(Ok(()))) => Err(OutputError::invalid("it returned without a response").into()),
            (None, None) => Err(lost()),
        }
    }
}

/// How the guest ended.
fn end_of(ended: Result<Result<(), Failure>, oneshot::error::RecvError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|_| Err(lost()))
}

/// The guest's task is gone and has not said how it ended.
fn lost() -> Failure {
    Failure::Trap(TrapReason::HostPanic, "its task ended early".to_owned())
}

/// One call of the guest.
struct Call {
    runtime: Arc<Runtime>,
    stats: Arc<RouteStats>,
    exchange: ExchangeId,
    fed: Arc<AtomicBool>,
}

impl Call {
    /// Runs the guest to its end and says what became of it. Its instance stays until it is released: a body that is not
    /// finished must not look as if it were, which it would when the instance goes.
    async fn run(
        self,
        asked: Asked,
        answer: oneshot::Sender<Answered>,
        outcome: oneshot::Sender<Result<(), Failure>>,
        released: oneshot::Receiver<()>,
        pass: Pass,
    ) {
        let runtime = &self.runtime;
        let mut measured = self.stats.measure(PluginKind::Integration);
        measured.has_place(measured.began());
        let running = runtime.plugin().shared().ticker.running();
        let mut instance = None;
        let serving = self.serve(&mut instance, asked, answer);
        let result = call::measured(serving, &mut measured.processor).await;
        drop(running);
        if let Some(instance) = &instance {
            self.stats.used_memory(instance.memory());
        }
        runtime.count(&self.stats, measured, &result);
        runtime.judge(PluginKind::Integration, pass, result.as_ref().err());
        if outcome.send(result).is_ok() {
            let _ = released.await;
        }
        drop(instance);
    }

    async fn serve(
        &self,
        instance: &mut Option<Box<Instance>>,
        asked: Asked,
        answer: oneshot::Sender<Answered>,
    ) -> Result<(), Failure> {
        let instance = instance.insert(self.runtime.instance(self.exchange).await?);
        let state = instance.store.data_mut();
        state.feed_from(&self.fed);
        state.serves(asked.request.headers(), None);
        match api::serve(instance, asked, answer).await {
            // Its tasks have stacks of the pool, which others may have taken.
            Err(error) if is_exhausted(&error) => Err(Failure::Saturated),
            result => Ok(result?),
        }
    }
}

/// The request as a server gets it.
fn request(exchange: &mut Exchange, asked: &Arc<AtomicBool>) -> Request<WasiBody> {
    let body = Received::new(exchange.body.take(), asked);
    let mut request = Request::new(body.boxed_unsync());
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = Uri::from(exchange.request.target.clone());
    *request.version_mut() = exchange.request.version;
    let headers = request.headers_mut();
    headers.clone_from(&exchange.request.headers);
    // Where the guest's authority comes from.
    headers.insert(HOST, exchange.request.authority.clone());
    request
}

/// The response, checked, with what comes of its body.
fn head(
    response: http::Response<WasiBody>,
    has_body: bool,
    received: Arc<AtomicBool>,
    guest: Guest,
    ending: Ending,
) -> Result<Response, Failure> {
    let (mut parts, inner) = response.into_parts();
    // Unlike the other fields that frame a message this one says only which trailers come, and those are checked.
    let trailer = parts.headers.remove(TRAILER);
    let status = api::status(parts.status.as_u16())?;
    let has_body = has_body && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = parts.headers.get(CONTENT_LENGTH).filter(|_| has_body);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut headers = fields(&parts.headers)?;
    if let Some(trailer) = trailer {
        headers.insert(TRAILER, trailer);
    }
    let mut response = Response::new(Body::stream(ProxyBody::new(inner, length, received, guest, ending)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Fields that may leave a guest.
fn fields(headers: &HeaderMap) -> Result<HeaderMap, OutputError> {
    let fields = headers.iter();
    api::response_fields(
        fields
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
    )
}

/// A piece of a body.
type Frame = http_body::Frame<Bytes>;
