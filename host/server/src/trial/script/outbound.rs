//! Requests that a plugin sends in a case, and their answers.

use std::sync::Mutex;

use bytes::Bytes;
use gatewright_config::cases::{CaseOutbound, OutboundFailure};
use gatewright_config::gateway::OriginGrant;
use gatewright_wasm::{HttpClient, Outbound, OutboundError, Sending};
use http::uri::PathAndQuery;
use http::{Method, Request, Response};

use super::lock;

/// Answers the requests that a case expects, each once, in any order.
pub(super) struct Answers {
    expected: Vec<CaseOutbound>,
    /// What the plugin may call, as the requests name it.
    origins: Vec<OriginGrant>,
    /// Answers may be asked for again.
    again: bool,
    sent: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Which one of the expected, and how it was sent.
    answered: Vec<(usize, Request<Bytes>)>,
    unexpected: Vec<String>,
}

/// What became of the requests.
pub(crate) struct Sent<'a> {
    /// Requests as they were sent, with what was expected of them.
    pub(crate) answered: Vec<(&'a CaseOutbound, Request<Bytes>)>,
    /// Requests that the case does not have.
    pub(crate) unexpected: Vec<String>,
    /// Requests that were not sent.
    pub(crate) missing: Vec<&'a CaseOutbound>,
}

impl Answers {
    pub(super) fn new(expected: &[CaseOutbound], origins: &[OriginGrant], again: bool) -> Self {
        Self {
            expected: expected.to_vec(),
            origins: origins.to_vec(),
            again,
            sent: Mutex::default(),
        }
    }

    pub(super) fn sent(&self) -> Sent<'_> {
        let log = lock(&self.sent);
        let is_answered = |index: usize| log.answered.iter().any(|(answered, _)| *answered == index);
        let answered = log.answered.iter();
        Sent {
            answered: answered
                .filter_map(|(index, request)| Some((self.expected.get(*index)?, request.clone())))
                .collect(),
            unexpected: log.unexpected.clone(),
            missing: (0..)
                .zip(&self.expected)
                .filter_map(|(index, expected)| (!is_answered(index)).then_some(expected))
                .collect(),
        }
    }

    fn answer(&self, outbound: Outbound) -> Result<Response<Bytes>, OutboundError> {
        let Outbound {
            origin,
            request,
            max_response_bytes,
            ..
        } = outbound;
        let mut log = lock(&self.sent);
        let origin = self.origins.get(origin);
        let is_it = |expected: &CaseOutbound| {
            expected.method == *request.method()
                && Some(&expected.target) == request.uri().path_and_query()
                && origin.is_some_and(|origin| is_same(origin, &expected.origin))
        };
        let is_free = |index: usize| self.again || log.answered.iter().all(|(answered, _)| *answered != index);
        let found = (0..)
            .zip(&self.expected)
            .find(|(index, expected)| is_free(*index) && is_it(expected));
        let Some((index, expected)) = found else {
            let url = origin
                .zip(request.uri().path_and_query())
                .map(|(origin, target)| url(origin, target));
            log.unexpected
                .push(format!("{} {}", request.method(), url.unwrap_or_default()));
            return Err(OutboundError::Connect(
                "the case does not expect this request".to_owned(),
            ));
        };
        if !self.again {
            log.answered.push((index, request));
        }
        let answer = expected.answer.as_ref().map_err(|failure| error(*failure))?;
        if answer.body.len() > max_response_bytes {
            return Err(OutboundError::TooLarge);
        }
        let mut response = Response::new(Bytes::from(answer.body.clone()));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers.clone();
        Ok(response)
    }
}

impl HttpClient for Answers {
    fn send(&self, outbound: Outbound) -> Sending<'_> {
        let answer = self.answer(outbound);
        Box::pin(async move { answer })
    }
}

/// As people write it.
pub(crate) fn shown(method: &Method, origin: &OriginGrant, target: &PathAndQuery) -> String {
    format!("{method} {}", url(origin, target))
}

fn url(origin: &OriginGrant, target: &PathAndQuery) -> String {
    let OriginGrant { tls, host, port, .. } = origin;
    let (scheme, usual) = if *tls { ("https", 443) } else { ("http", 80) };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.clone(),
    };
    match *port == usual {
        true => format!("{scheme}://{host}{target}"),
        false => format!("{scheme}://{host}:{port}{target}"),
    }
}

fn is_same(one: &OriginGrant, other: &OriginGrant) -> bool {
    (one.tls, &one.host, one.port) == (other.tls, &other.host, other.port)
}

fn error(failure: OutboundFailure) -> OutboundError {
    let text = || "the case says so".to_owned();
    match failure {
        OutboundFailure::Forbidden => OutboundError::Private(text()),
        OutboundFailure::Dns => OutboundError::Dns(text()),
        OutboundFailure::Connect => OutboundError::Connect(text()),
        OutboundFailure::Tls => OutboundError::Tls(text()),
        OutboundFailure::Timeout => OutboundError::Timeout,
        OutboundFailure::TooLarge => OutboundError::TooLarge,
        OutboundFailure::Protocol => OutboundError::Protocol(text()),
    }
}
