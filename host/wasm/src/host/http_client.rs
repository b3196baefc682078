//! Outbound requests: checked here, sent by the server. The guest waits without holding a thread.

mod at_once;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::{Limit, Scope, TokenBucket};
use http::{HeaderValue, Method, Request, Response, Uri};

use self::at_once::at_once;
use self::target::{Misdirected, target};
use super::asked::Asked;
use super::outgoing::{Outgoing, Turn};
use crate::api;
use crate::api::bindings::gatewright::plugin::http_client::{FullResponse, Host, HttpError, OutboundRequest};
use crate::api::bindings::gatewright::plugin::types::ResponseHeadResult as ResponseHead;
use crate::metrics::{Answered, Service};
use crate::outbound::{Outbound, OutboundError};
use crate::state::{CallState, Caller};
use crate::tape::Told;

impl Host for CallState {
    async fn send(&mut self, request: OutboundRequest) -> wasmtime::Result<Result<FullResponse, HttpError>> {
        let request = self.outgoing.prepare(request);
        let caller = Arc::clone(&self.caller);
        send_lowered(&caller, request).await
    }

    async fn send_all(
        &mut self,
        requests: Vec<OutboundRequest>,
    ) -> wasmtime::Result<Vec<Result<FullResponse, HttpError>>> {
        let requests: Vec<_> = requests
            .into_iter()
            .map(|request| self.outgoing.prepare(request))
            .collect();
        let caller = Arc::clone(&self.caller);
        let sending = requests
            .into_iter()
            .map(|request| send_lowered(&caller, request))
            .collect();
        let sent = at_once(sending, caller.limits.http.parallel).await;
        sent.into_iter().collect()
    }
}

/// Where the buckets of plugins are; those of stages have other names.
const BUCKETS: &str = "requests of plugins";

/// A request that has been checked, or why it is not sent.
struct Prepared {
    told: Told,
    asked: Asked,
    outbound: Result<Outbound, Refusal>,
}

impl Outgoing {
    fn prepare(&mut self, request: OutboundRequest) -> Prepared {
        let turn = self.turn();
        prepare(self.caller(), turn, request)
    }
}

/// Checks a request.
fn prepare(caller: &Arc<Caller>, turn: Turn, request: OutboundRequest) -> Prepared {
    let Turn { counted, came_by, tape } = turn;
    let told = tape.map_or(Told::Nobody, |tape| {
        let (place, query) = match request.url.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (request.url.as_str(), None),
        };
        tape.told("http.send", &format!("{} {place}", request.method), query)
    });
    let asked = Asked::by(caller, Service::Http);
    let outbound = match counted {
        Ok(()) => checked(caller, request, came_by),
        Err(reason) => Err(Refusal::BadRequest(reason)),
    };
    Prepared { told, asked, outbound }
}

/// The same for who has the request from elsewhere, and cannot be stopped by a script.
pub(super) async fn ask(
    caller: &Arc<Caller>,
    turn: Turn,
    request: OutboundRequest,
) -> Result<Response<Bytes>, HttpError> {
    let sent = send(caller, prepare(caller, turn, request)).await;
    sent.unwrap_or_else(|error| Err(HttpError::BadRequest(error.to_string())))
}

async fn send_lowered(caller: &Caller, prepared: Prepared) -> wasmtime::Result<Result<FullResponse, HttpError>> {
    Ok(send(caller, prepared).await?.map(lowered))
}

async fn send(caller: &Caller, prepared: Prepared) -> wasmtime::Result<Result<Response<Bytes>, HttpError>> {
    let Prepared { told, asked, outbound } = prepared;
    told.or(send_checked(caller, asked, outbound)).await
}

async fn send_checked(
    caller: &Caller,
    asked: Asked,
    outbound: Result<Outbound, Refusal>,
) -> Result<Response<Bytes>, HttpError> {
    let sent = match (outbound, &caller.granted.http) {
        (Ok(outbound), Some(client)) => {
            let origin = outbound.origin;
            match within_rate(caller).await {
                Ok(()) => {
                    let sent = client.send(outbound).await;
                    sent.map_err(|error| Refusal::Failed(error, origin))
                }
                Err(refusal) => Err(refusal),
            }
        }
        (Ok(_), None) => Err(Refusal::NoClient),
        (Err(refusal), _) => Err(refusal),
    };
    asked.settled(sent, |refusal, asked| refusal.into_error(asked, caller))
}

/// Takes a request out of what the plugin may send, over all workers.
async fn within_rate(caller: &Caller) -> Result<(), Refusal> {
    let rate = caller.limits.http.rate;
    let bucket = TokenBucket {
        interval: Duration::from_secs_f64(rate.per_second().recip()),
        burst: rate.tokens,
    };
    let state = caller
        .granted
        .state()
        .map_err(|error| Refusal::NoState(error.to_string()))?;
    // Another rate has another bucket: it does not wait for what the one before lent out.
    let key = format!("{} {rate}", caller.name);
    let limit = Limit {
        name: BUCKETS,
        scope: Scope::Instance,
    };
    match state.take(limit, &key, bucket).await {
        Ok(taken) if taken.allowed => Ok(()),
        Ok(taken) => Err(Refusal::Limited(taken.retry_after)),
        Err(problem) => Err(Refusal::NoState(problem.to_string())),
    }
}

fn checked(caller: &Caller, request: OutboundRequest, came_by: Vec<HeaderValue>) -> Result<Outbound, Refusal> {
    let limits = &caller.limits;
    let OutboundRequest {
        method,
        url,
        fields,
        body,
        timeout,
        max_response_bytes,
    } = request;
    let (origin, target) = target(&url, &limits.grants.http)?;
    let method = Method::from_bytes(method.as_bytes())
        .ok()
        .filter(|method| !matches!(*method, Method::CONNECT | Method::TRACE))
        .ok_or_else(|| Refusal::BadRequest("a method that is none, or `CONNECT` or `TRACE`".to_owned()))?;
    let fields = api::request_fields(fields).map_err(|error| Refusal::BadRequest(error.what))?;
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = fields;
    // The call itself ends with its budget, whatever is given here.
    // Who does not say how long he waits waits as long as the call may take: its end comes first, and is no answer.
    let patience = timeout.map_or(limits.time.saturating_mul(2), |timeout| {
        Duration::from_millis(timeout.into()).min(limits.time)
    });
    let most = usize::try_from(limits.http.response_bytes.0).unwrap_or(usize::MAX);
    let wanted = max_response_bytes.map_or(most, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Ok(Outbound {
        origin,
        request,
        deadline: Instant::now() + patience,
        max_response_bytes: wanted.min(most),
        came_by,
    })
}

fn lowered(response: Response<Bytes>) -> FullResponse {
    let (parts, body) = response.into_parts();
    let fields = parts.headers.iter();
    FullResponse {
        head: ResponseHead {
            status: parts.status.as_u16(),
            fields: fields
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
        },
        body: body.to_vec(),
    }
}

/// Why there is no response.
enum Refusal {
    /// Scheme, host and port that are not granted.
    NotGranted(String),
    BadRequest(String),
    /// More than the plugin may send now.
    Limited(Duration),
    /// How many it has sent is not known.
    NoState(String),
    /// The plugin was loaded by somebody who sends nothing.
    NoClient,
    /// From the origin of that number.
    Failed(OutboundError, usize),
}

impl From<Misdirected> for Refusal {
    fn from(misdirected: Misdirected) -> Self {
        match misdirected {
            Misdirected::NotGranted(origin) => Self::NotGranted(origin),
            Misdirected::NoUrl(reason) => Self::BadRequest(reason),
        }
    }
}

impl Refusal {
    fn into_error(self, asked: Asked, caller: &Caller) -> HttpError {
        let (error, origin) = match self {
            Self::NotGranted(origin) => {
                asked.refused(&origin);
                return HttpError::Forbidden;
            }
            Self::BadRequest(reason) => {
                asked.ended(Answered::Invalid);
                return HttpError::BadRequest(reason);
            }
            Self::Limited(wait) => {
                asked.limited();
                // Rounded up: who comes back when it was told to should not come in vain.
                let wait = wait.as_nanos().div_ceil(1_000_000);
                return HttpError::RateLimited(u32::try_from(wait).unwrap_or(u32::MAX));
            }
            Self::NoState(reason) => {
                asked.ended(Answered::Failed);
                return HttpError::Connect(reason);
            }
            Self::NoClient => {
                asked.ended(Answered::Failed);
                return HttpError::Connect("there is nobody to send it".to_owned());
            }
            Self::Failed(error, origin) => (error, origin),
        };
        if let OutboundError::Private(address) = &error {
            let host = caller.limits.grants.http.get(origin).map_or("", |origin| &origin.host);
            asked.refused_address(host, address);
            return HttpError::Forbidden;
        }
        asked.ended(match error {
            OutboundError::TooLarge => Answered::Invalid,
            _ => Answered::Failed,
        });
        match error {
            OutboundError::Private(_) => HttpError::Forbidden,
            OutboundError::Dns(text) => HttpError::Dns(text),
            OutboundError::Connect(text) => HttpError::Connect(text),
            OutboundError::Tls(text) => HttpError::Tls(text),
            OutboundError::Timeout => HttpError::Timeout,
            OutboundError::TooLarge => HttpError::TooLarge,
            OutboundError::Protocol(text) => HttpError::Protocol(text),
        }
    }
}
