//! `request-size`: requests that are larger than this part of the chain wants to see.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_config::RequestSizeConfig;
use gatewright_core::{Body, BodyError, Exchange, Flow, Problem, ProblemKind, Stage, Step};
use http::header;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// Limits sizes.
pub struct RequestSize {
    config: RequestSizeConfig,
}

impl Stage for RequestSize {
    fn name(&self) -> &str {
        "request-size"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(self.check(exchange).map(|()| Flow::Proceed))
    }
}

impl RequestSize {
    /// A stage with these limits.
    #[must_use]
    pub fn new(config: &RequestSizeConfig) -> Self {
        Self { config: config.clone() }
    }

    fn check(&self, exchange: &mut Exchange) -> Result<(), Problem> {
        let RequestSizeConfig {
            body_bytes,
            header_bytes,
            query_bytes,
            length_required,
        } = &self.config;
        let request = &exchange.request;
        let query = request.query().map_or(0, str::len) as u64;
        over(query, *query_bytes, ProblemKind::UriTooLong, "the query")?;
        if header_bytes.is_some() {
            let fields = request.headers.iter();
            let length: usize = fields.map(|(name, value)| name.as_str().len() + value.len()).sum();
            over(
                length as u64,
                *header_bytes,
                ProblemKind::HeadersTooLarge,
                "the header section",
            )?;
        }
        if exchange.body.is_empty() {
            return Ok(());
        }
        let hint = exchange.body.size_hint();
        if *length_required && hint.exact().is_none() && !request.headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Problem::new(ProblemKind::LengthRequired).closing());
        }
        over(hint.lower(), *body_bytes, ProblemKind::RequestTooLarge, "the body").map_err(Problem::closing)?;
        if let Some(limit) = body_bytes.filter(|limit| hint.upper().is_none_or(|upper| upper > limit.0)) {
            let inner = exchange.body.take();
            exchange.body = Body::stream(Limited { inner, left: limit.0 });
        }
        Ok(())
    }
}

fn over(length: u64, limit: Option<gatewright_config::ByteSize>, kind: ProblemKind, what: &str) -> Result<(), Problem> {
    match limit.filter(|limit| length > limit.0) {
        Some(limit) => Err(Problem::new(kind).with_cause(format!("request-size: {what} has more than {limit}"))),
        None => Ok(()),
    }
}

/// A body that breaks off when it is longer than it may be.
struct Limited {
    inner: Body,
    left: u64,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(left) = self.left.checked_sub(length) else {
                let problem = Problem::new(ProblemKind::RequestTooLarge)
                    .with_cause("request-size: the body is too long")
                    .closing();
                return Poll::Ready(Some(Err(BodyError(problem))));
            };
            self.left = left;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
