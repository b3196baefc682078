//! Outbound requests: checked here, sent by the server. The guest waits without holding a thread.

mod at_once;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::{Limit, Scope, TokenBucket};
use http::{Method, Request, Response, Uri};

use self::at_once::at_once;
use self::target::{Misdirected, target};
use super::Outgoing;
use super::asked::Asked;
use crate::api;
use crate::api::bindings::gatewright::plugin::http_client::{FullResponse, Host, HttpError, OutboundRequest};
use crate::api::bindings::gatewright::plugin::types::ResponseHeadResult as ResponseHead;
use crate::metrics::{Answered, Service};
use crate::outbound::{Outbound, OutboundError};
use crate::recording::Served;
use crate::state::{CallState, Caller};

impl Host for CallState {
    async fn send(&mut self, request: OutboundRequest) -> wasmtime::Result<Result<FullResponse, HttpError>> {
        let request = self.outgoing.prepare(self.served.as_ref(), request);
        let caller = Arc::clone(&self.caller);
        Ok(send(&caller, request).await.map(lowered))
    }

    async fn send_all(
        &mut self,
        requests: Vec<OutboundRequest>,
    ) -> wasmtime::Result<Vec<Result<FullResponse, HttpError>>> {
        let requests: Vec<_> = requests
            .into_iter()
            .map(|request| self.outgoing.prepare(self.served.as_ref(), request))
            .collect();
        let caller = Arc::clone(&self.caller);
        let sending = requests
            .into_iter()
            .map(|request| send_lowered(&caller, request))
            .collect();
        Ok(at_once(sending, caller.limits.http.parallel).await)
    }
}

/// Where the buckets of plugins are; those of stages have other names.
const BUCKETS: &str = "requests of plugins";

/// A request that has been checked, or why it is not sent.
struct Prepared {
    asked: Asked,
    outbound: Result<Outbound, Refusal>,
}

impl Outgoing {
    fn prepare(&mut self, served: Option<&Arc<Served>>, request: OutboundRequest) -> Prepared {
        let counted = self.count();
        let asked = Asked::by(self.caller(), served, Service::Http);
        prepare(self.caller(), asked, counted, request)
    }
}

/// Checks a request. It is one too many where `counted` says so.
fn prepare(caller: &Caller, asked: Asked, counted: Result<(), String>, request: OutboundRequest) -> Prepared {
    let outbound = match counted {
        Ok(()) => checked(caller, request),
        Err(reason) => Err(Refusal::BadRequest(reason)),
    };
    Prepared { asked, outbound }
}

/// The same for who has the request from elsewhere.
pub(super) async fn ask(
    caller: &Arc<Caller>,
    counted: Result<(), String>,
    request: OutboundRequest,
) -> Result<Response<Bytes>, HttpError> {
    let asked = Asked::by(caller, None, Service::Http);
    send(caller, prepare(caller, asked, counted, request)).await
}

async fn send_lowered(caller: &Caller, prepared: Prepared) -> Result<FullResponse, HttpError> {
    send(caller, prepared).await.map(lowered)
}

async fn send(caller: &Caller, prepared: Prepared) -> Result<Response<Bytes>, HttpError> {
    let Prepared { asked, outbound } = prepared;
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

fn checked(caller: &Caller, request: OutboundRequest) -> Result<Outbound, Refusal> {
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
    let patience = timeout.map_or(limits.time, |timeout| {
        Duration::from_millis(timeout.into()).min(limits.time)
    });
    let most = usize::try_from(limits.http.response_bytes.0).unwrap_or(usize::MAX);
    let wanted = max_response_bytes.map_or(most, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    Ok(Outbound {
        origin,
        request,
        deadline: Instant::now() + patience,
        max_response_bytes: wanted.min(most),
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
