//! Outbound requests of `wasi:http`, which go the way of the service `http-client`: the same grants, the same limits, the same
//! look at addresses. Bodies are collected, because that service has them whole.

use std::sync::Arc;

use bytes::Bytes;
use http::header::VIA;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use super::http_client;
use crate::api;
use crate::api::bindings::gatewright::plugin::http_client::{HttpError, OutboundRequest};
use crate::state::Caller;
use crate::tape::Tape;

/// Bytes of a guest's body that wait for somebody to take them, at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The requests of one call.
pub(crate) struct Outgoing {
    caller: Arc<Caller>,
    left: usize,
    /// `Via` of the exchange that they are sent for.
    came_by: Vec<HeaderValue>,
    pub(crate) tape: Option<Tape>,
}

/// What one more request is sent with.
pub(super) struct Turn {
    /// Whether it is one too many.
    pub(super) counted: Result<(), String>,
    /// `Via` of the exchange that it is sent for.
    pub(super) came_by: Vec<HeaderValue>,
    pub(super) tape: Option<Tape>,
}

/// What becomes of the connection of a response; there is nothing to be done for one that is whole.
type Connection = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(Response<WasiBody>, Connection), Error>> + Send>;

impl Outgoing {
    pub(crate) fn new(caller: &Arc<Caller>) -> Self {
        Self {
            caller: Arc::clone(caller),
            left: caller.limits.http.requests,
            came_by: Vec::new(),
            tape: None,
        }
    }

    /// As many again as one call may send.
    pub(crate) fn begin(&mut self) {
        self.left = self.caller.limits.http.requests;
    }

    /// What is sent from now on is sent for a request with these header fields.
    pub(crate) fn is_for(&mut self, headers: &HeaderMap, tape: Option<Tape>) {
        self.tape = tape;
        self.came_by.clear();
        // Who may send nothing needs not be looked through.
        if !self.caller.limits.grants.http.is_empty() {
            self.came_by.extend(headers.get_all(VIA).iter().cloned());
        }
    }

    /// One more request is to be sent.
    pub(super) fn turn(&mut self) -> Turn {
        Turn {
            counted: self.count(),
            came_by: self.came_by.clone(),
            tape: self.tape.clone(),
        }
    }

    pub(super) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Counts one more.
    fn count(&mut self) -> Result<(), String> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(format!(
                "more than {} requests in one call; `requests` under `[plugin.{}.http]` is the limit",
                self.caller.limits.http.requests, self.caller.name
            ));
        };
        self.left = left;
        Ok(())
    }
}

impl WasiHttpHooks for Outgoing {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || name.as_str().starts_with("x-gatewright-"))
    }

    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _fut: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sent {
        let turn = self.turn();
        let caller = Arc::clone(&self.caller);
        Box::new(async move {
            let request = collected(request, options, caller.limits.host_call_bytes).await?;
            let response = http_client::ask(&caller, turn, request).await.map_err(error)?;
            let body = |bytes: Bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
            Ok((response.map(body), Box::new(async { Ok(()) }) as Connection))
        })
    }
}

/// The request as the service has it.
async fn collected(
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
    limit: usize,
) -> Result<OutboundRequest, Error> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Error::HttpRequestBodySize(None);
        }
        error
            .downcast::<Error>()
            .map_or(Error::HttpProtocolError, |error| *error)
    })?;
    let timeout = options.and_then(|options| options.first_byte_timeout);
    // Programs pass on what they were asked with. What is not theirs to say is not said, the host among it: the connection
    // knows where it goes to.
    let fields = parts
        .headers
        .iter()
        .filter(|(name, _)| api::may_be_requested_with(name));
    Ok(OutboundRequest {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        fields: fields
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
        body: body.to_bytes().to_vec(),
        timeout: timeout.map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
        max_response_bytes: None,
    })
}

fn error(error: HttpError) -> Error {
    match error {
        HttpError::Forbidden => Error::HttpRequestDenied,
        HttpError::BadRequest(text) => Error::InternalError(Some(text)),
        HttpError::Dns(text) => Error::DnsError {
            rcode: Some(text),
            info_code: None,
        },
        HttpError::Connect(_) => Error::ConnectionRefused,
        HttpError::Tls(_) => Error::TlsProtocolError,
        HttpError::Timeout => Error::HttpResponseTimeout,
        HttpError::TooLarge => Error::HttpResponseBodySize(None),
        HttpError::Protocol(_) => Error::HttpProtocolError,
        HttpError::RateLimited(millis) => Error::InternalError(Some(format!("rate limited for {millis} ms"))),
    }
}
