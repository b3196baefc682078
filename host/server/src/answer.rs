//! Responses that leave the gateway: problems made visible, and every body watched until its end, so that the access
//! record says what really became of it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::{AccessRecord, Body, BodyError, ExchangeId, Outcome, Problem, ProblemKind, Response};
use http::Version;
use http::header::{self, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::fields::{X_GATEWRIGHT_ERROR, X_REQUEST_ID};
use crate::listener::guard::InFlight;

/// A problem as the client sees it.
pub fn problem(record: &mut AccessRecord, problem: &Problem) -> Response {
    record.note(problem);
    let mut body = serde_json::json!({ "message": problem.message() });
    if let Some(fields) = body.as_object_mut()
        && !problem.failures().is_empty()
    {
        let failures = problem.failures().iter();
        let failures = failures.map(|failure| serde_json::json!({ "at": failure.at, "reason": failure.reason }));
        fields.insert("errors".to_owned(), failures.collect());
    }
    let body = body.to_string();
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_GATEWRIGHT_ERROR, HeaderValue::from_static(problem.kind().code()));
    if let Ok(id) = HeaderValue::try_from(record.id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    if let Some(wait) = problem.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait).max(1)));
    }
    for (name, value) in problem.headers() {
        headers.append(name.clone(), value.clone());
    }
    if problem.closes() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The same for what could not be read as HTTP, so that there is no exchange: a whole HTTP/1.1 message.
pub fn unread(kind: ProblemKind, id: ExchangeId) -> Vec<u8> {
    let body = serde_json::json!({ "message": kind.message() }).to_string();
    let (status, code) = (kind.status(), kind.code());
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let message = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{X_GATEWRIGHT_ERROR}: {code}\r\n{X_REQUEST_ID}: {id}\r\n\
         content-length: {}\r\nconnection: close\r\ndate: {date}\r\n\r\n{body}",
        body.len()
    );
    message.into_bytes()
}

/// What `OPTIONS *` is told: that the gateway is there, and the methods that it passes on (RFC 9110, section 9.3.7).
pub fn capabilities() -> Response {
    const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

/// Seconds, rounded up: a client that waits this long has waited long enough.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// What a record says of a response that reaches the client whole.
pub fn outcome(record: &AccessRecord) -> Outcome {
    match record.problem {
        // Somebody who only stopped sending may still read what it is told; it left all the same.
        Some(ProblemKind::ClientClosed) => Outcome::ClientGone,
        Some(kind) if kind.fault() != gatewright_core::Fault::Client => Outcome::Failed,
        Some(_) => Outcome::Refused,
        // A stage that answers well gives what was asked for: a redirect, or what a preflight request may know.
        None if record.answered_by.is_some() && record.status.is_some_and(|status| status >= 400) => Outcome::Refused,
        None => Outcome::Answered,
    }
}

pin_project_lite::pin_project! {
    /// A response's body on its way to the client. Dropping it ends the exchange.
    pub struct AnswerBody {
        #[pin]
        body: Body,
        // What is still to come, where that is known.
        left: Option<u64>,
        record: AccessRecord,
        in_flight: Option<InFlight>,
        // Why the body breaks off, while what came before is on its way.
        broken: Option<BodyError>,
    }

    impl PinnedDrop for AnswerBody {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let now = Instant::now();
            this.record.ended = Some(now);
            if let Some(in_flight) = this.in_flight.take() {
                in_flight.end(now);
            }
        }
    }
}

impl AnswerBody {
    /// Watches over a response's body. `expects_body` is false where the client gets none whatever the response
    /// has, as with `HEAD`.
    pub fn new(body: Body, mut record: AccessRecord, in_flight: InFlight, expects_body: bool) -> Self {
        let left = body.size_hint().exact();
        if !expects_body || left == Some(0) || body.is_end_stream() {
            record.outcome = outcome(&record);
        }
        Self {
            body,
            left,
            record,
            in_flight: Some(in_flight),
            broken: None,
        }
    }

    /// The client has left before all of it was sent, though all of it was there.
    pub fn unsent(self: Pin<&mut Self>) {
        self.project().record.outcome = Outcome::ClientGone;
    }

    /// The client takes nothing of it, and is not waited for any longer.
    pub fn stalled(mut self: Pin<&mut Self>) {
        self.as_mut().unsent();
        let problem = Problem::new(ProblemKind::ClientClosed);
        let problem = problem.with_cause("the client took nothing of the response for too long");
        self.project().record.note(&problem);
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let polled = this.body.as_mut().poll_frame(context);
        match polled {
            Poll::Pending => {}
            Poll::Ready(None) => this.record.outcome = outcome(this.record),
            Poll::Ready(Some(Err(error))) => {
                this.record.note(&error.0);
                this.record.outcome = match error.0.kind() {
                    ProblemKind::ClientClosed => Outcome::ClientGone,
                    _ => Outcome::Failed,
                };
                // Chunks and streams break off visibly; a body that the end of the connection ends does not.
                if let Some(in_flight) = this.in_flight
                    && this.record.version == Version::HTTP_10
                {
                    in_flight.cut();
                }
                // hyper drops what it has not written yet when a body fails, the header section too. It writes when
                // it is told to wait.
                *this.broken = Some(error);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(ref frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.record.response_bytes += length;
                *this.left = this.left.map(|left| left.saturating_sub(length));
                // hyper asks for nothing more after trailers, after as many bytes as the body said to have, and where
                // it says now that this was all, as a body does that something has transformed.
                if *this.left == Some(0) || frame.is_trailers() || this.body.is_end_stream() {
                    this.record.outcome = outcome(this.record);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
