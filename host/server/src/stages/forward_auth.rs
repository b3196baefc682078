//! `forward-auth`: somebody else decides whether a request may pass, by a subrequest with its header fields.
//!
//! An answer 2xx lets it pass, and what it says to the client (`Set-Cookie`) goes along with the response; any other one below 500 is what the client gets. Whatever goes wrong lets nobody pass. The
//! same question may have the same answer for a while: what it is kept under is all that was sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::ForwardAuthConfig;
use gatewright_core::{Body, Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::fields::{self, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::upstream::Upstream;
use crate::upstream::question::ask;
use crate::via;

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
/// Fields about a body that is not sent, or that would have an answer other than a decision.
const NOT_SENT: [HeaderName; 13] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::VIA,
];
/// The longest answer that a client is told.
const LONGEST_ANSWER: usize = 1 << 20;
/// Bytes of decisions that are kept, about.
const KEPT: u64 = 4 << 20;

/// Lets requests pass that an upstream lets pass.
pub struct ForwardAuth {
    upstream: Arc<Upstream>,
    path: PathAndQuery,
    method: Method,
    headers: Option<Vec<HeaderName>>,
    copy: Vec<HeaderName>,
    to_client: Vec<HeaderName>,
    principal: Option<HeaderName>,
    timeout: Duration,
    decisions: Option<Cache<[u8; 32], Arc<HeaderMap>>>,
    via: HeaderValue,
}

impl Stage for ForwardAuth {
    fn name(&self) -> &str {
        "forward-auth"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let question = self.question(exchange);
        let key = self.decisions.as_ref().map(|_| key(&question));
        if let (Some(decisions), Some(key)) = (&self.decisions, &key)
            && let Some(granted) = decisions.get(key)
        {
            return Step::ready(self.apply(exchange, &granted));
        }
        Step::waiting(self.decide(exchange, question, key))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let said = std::mem::take(&mut exchange.for_response);
        let headers = response.headers_mut();
        for name in said.keys().filter(|name| **name != header::SET_COOKIE) {
            headers.remove(name);
        }
        if said.contains_key(header::SET_COOKIE) {
            fields::keep_private(headers);
        }
        for (name, value) in &said {
            headers.append(name.clone(), value.clone());
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        !self.to_client.is_empty()
    }
}

impl ForwardAuth {
    /// A stage that asks `upstream`. `via` is what this process calls itself.
    #[must_use]
    pub fn new(config: &ForwardAuthConfig, upstream: Arc<Upstream>, via: HeaderValue) -> Self {
        // The configuration has checked names, path and method.
        let name = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        let decisions = || {
            Cache::builder()
                .max_capacity(KEPT)
                .weigher(|_, kept: &Arc<HeaderMap>| weight(kept))
                .time_to_live(config.cache)
                .build()
        };
        Self {
            upstream,
            path: PathAndQuery::try_from(config.path.as_str()).unwrap_or(PathAndQuery::from_static("/")),
            method: Method::from_bytes(config.method.as_bytes()).unwrap_or_default(),
            headers: config
                .headers
                .as_ref()
                .map(|names| names.iter().filter_map(name).collect()),
            copy: config.copy.iter().filter_map(name).collect(),
            to_client: config.to_client.iter().filter_map(name).collect(),
            principal: config.principal.as_ref().and_then(name),
            timeout: config.timeout,
            decisions: (!config.cache.is_zero()).then(decisions),
            via,
        }
    }

    /// The request without its body, and what it was.
    fn question(&self, exchange: &Exchange) -> http::Request<Bytes> {
        let request = &exchange.request;
        let mut headers = match &self.headers {
            None => request.headers.clone(),
            Some(names) => {
                let mut headers = HeaderMap::with_capacity(names.len() + 8);
                for name in names.iter().chain([&X_FORWARDED_FOR]) {
                    for value in request.headers.get_all(name) {
                        headers.append(name.clone(), value.clone());
                    }
                }
                headers
            }
        };
        let came_by: Vec<_> = request.headers.get_all(header::VIA).iter().cloned().collect();
        for name in NOT_SENT {
            headers.remove(name);
        }
        // What the client, or a proxy before, says of these is never passed on.
        let method = HeaderValue::from_str(request.method.as_str()).ok();
        let uri = HeaderValue::from_bytes(request.target.as_str().as_bytes()).ok();
        let authority = String::from_utf8_lossy(request.authority.as_bytes());
        let url = HeaderValue::try_from(format!("{}://{authority}{}", request.scheme(), request.target)).ok();
        for (name, value) in [
            (X_FORWARDED_METHOD, method.clone()),
            (X_FORWARDED_PROTO, Some(HeaderValue::from_static(request.scheme()))),
            (X_FORWARDED_HOST, Some(request.authority.clone())),
            (X_FORWARDED_URI, uri.clone()),
            (X_ORIGINAL_METHOD, method),
            (X_ORIGINAL_URI, uri),
            (X_ORIGINAL_URL, url),
        ] {
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        headers.insert(header::VIA, via::onward(&came_by, &self.via));
        let mut question = http::Request::new(Bytes::new());
        *question.method_mut() = self.method.clone();
        *question.uri_mut() = self.path.clone().into();
        *question.headers_mut() = headers;
        question
    }

    async fn decide(
        &self,
        exchange: &mut Exchange,
        question: http::Request<Bytes>,
        key: Option<[u8; 32]>,
    ) -> Result<Flow, Problem> {
        let (now, _) = exchange.look_at_clock();
        let deadline = (now + self.timeout).min(exchange.deadline);
        let answer = ask(&self.upstream, &question, deadline, LONGEST_ANSWER).await?;
        let status = answer.status();
        if status.is_success() {
            let granted = Arc::new(self.granted(answer.headers()));
            let flow = self.apply(exchange, &granted)?;
            if let (Some(decisions), Some(key)) = (&self.decisions, key)
                && !is_for_once(answer.headers())
            {
                decisions.insert(key, granted);
            }
            return Ok(flow);
        }
        if status.is_server_error() {
            let cause = format!("upstream `{}` answers {status}", self.upstream.name);
            return Err(Problem::new(ProblemKind::AuthorizerFailure).with_cause(cause));
        }
        Ok(Flow::Answer(Box::new(self.refusal(exchange, answer))))
    }

    /// Of an answer that lets a request pass, what is of use later.
    fn granted(&self, answer: &HeaderMap) -> HeaderMap {
        let mut granted = HeaderMap::new();
        for name in self.copy.iter().chain(&self.to_client).chain(&self.principal) {
            if !granted.contains_key(name) {
                for value in answer.get_all(name) {
                    granted.append(name.clone(), value.clone());
                }
            }
        }
        granted
    }

    /// Fails before it changes anything.
    fn apply(&self, exchange: &mut Exchange, granted: &HeaderMap) -> Result<Flow, Problem> {
        if let Some(name) = &self.principal {
            let principal = granted
                .get(name)
                .and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
            let Some(principal) = principal.map(str::trim).filter(|principal| !principal.is_empty()) else {
                let cause = format!(
                    "upstream `{}` says yes, but not to whom: `{name}` is missing",
                    self.upstream.name
                );
                return Err(Problem::new(ProblemKind::AuthorizerFailure).with_cause(cause));
            };
            exchange.authenticate("forward-auth", principal);
        }
        for name in &self.to_client {
            for value in granted.get_all(name) {
                exchange.for_response.append(name.clone(), value.clone());
            }
        }
        let headers = &mut exchange.request.headers;
        for name in &self.copy {
            // What a client says here was never proven, also where the answer says nothing.
            headers.remove(name);
            for value in granted.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Ok(Flow::Proceed)
    }

    /// What the client is told, in the words of who decides.
    fn refusal(&self, exchange: &mut Exchange, answer: http::Response<Bytes>) -> Response {
        let kind = match answer.status() {
            StatusCode::UNAUTHORIZED => Some(ProblemKind::Unauthorized),
            StatusCode::FORBIDDEN => Some(ProblemKind::AccessDenied),
            _ => None,
        };
        if let Some(kind) = kind {
            let cause = format!("upstream `{}` answers {}", self.upstream.name, answer.status());
            exchange.record.note(&Problem::new(kind).with_cause(cause));
        }
        let (mut parts, body) = answer.into_parts();
        // Of the answer to the question, which may have been HEAD.
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::full(body))
    }
}

/// Whether an answer asks to be used once only.
fn is_for_once(headers: &HeaderMap) -> bool {
    let controls = headers.get_all(header::CACHE_CONTROL).iter();
    let mut controls = controls.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    headers.contains_key(header::SET_COOKIE)
        || controls.any(|control| control.trim_ascii().eq_ignore_ascii_case(b"no-store"))
}

/// Stands for all that is sent.
fn key(question: &http::Request<Bytes>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut update = |part: &[u8]| {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    };
    for (name, value) in question.headers() {
        update(name.as_str().as_bytes());
        update(value.as_bytes());
    }
    hash.finalize().into()
}

fn weight(headers: &HeaderMap) -> u32 {
    let fields: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 64)
        .sum();
    u32::try_from(fields + 128).unwrap_or(u32::MAX)
}
