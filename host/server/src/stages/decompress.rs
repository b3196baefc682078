//! `decompress`: bodies without their content coding, for stages, plugins and upstreams that read them. They stream, and
//! break off when they become more than they may.

use gatewright_config::DecompressConfig;
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Response, Stage, Step};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::entity_tags::{self, UpstreamTags};
use crate::codings::decoder::{Bounds, DecodedBody};
use crate::codings::{Coded, coded};

/// The codings that can be undone.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip, deflate, br, zstd");

/// What a message says of the bytes of its body.
const OF_BYTES: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Undoes content codings.
pub struct Decompress {
    config: DecompressConfig,
    tags: UpstreamTags,
}

impl Stage for Decompress {
    fn name(&self) -> &str {
        "decompress"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        if self.config.response {
            self.tags.restore(&mut exchange.request.headers);
        }
        if !self.config.request || exchange.body.is_empty() {
            return Step::ready(Ok(Flow::Proceed));
        }
        let headers = &mut exchange.request.headers;
        Step::ready(match coded(headers) {
            Coded::Plain => Ok(Flow::Proceed),
            Coded::Unknown => Err(Problem::new(ProblemKind::UnsupportedMediaType)
                .with_cause("decompress: the content coding is not known, or there are several")
                .with_header(header::ACCEPT_ENCODING, ACCEPTED)),
            Coded::By(coding) => {
                headers.remove(header::CONTENT_ENCODING);
                changed(headers);
                let bounds = self.bounds(ProblemKind::RequestTooLarge, ProblemKind::BadRequestBody);
                exchange.body = DecodedBody::wrap(exchange.body.take(), coding, bounds);
                Ok(Flow::Proceed)
            }
        })
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        self.tags.look(response.headers());
        if response.status() == StatusCode::NOT_MODIFIED {
            entity_tags::match_unchanged(&exchange.request.headers, response.headers_mut(), false);
        }
        let is_whole = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
        // One that cannot be undone is the client's to undo.
        if let Coded::By(coding) = coded(response.headers())
            && is_whole
        {
            // What is said in answer to `HEAD` is what would be said to `GET`.
            if exchange.record.method != Method::HEAD {
                let bounds = self.bounds(ProblemKind::IntegrationFailure, ProblemKind::IntegrationFailure);
                let body = response.body_mut().take();
                *response.body_mut() = DecodedBody::wrap(body, coding, bounds);
            }
            let headers = response.headers_mut();
            headers.remove(header::CONTENT_ENCODING);
            changed(headers);
        }
        Step::ready(Ok(()))
    }

    fn sees_responses(&self) -> bool {
        self.config.response
    }
}

impl Decompress {
    /// A stage with these settings.
    #[must_use]
    pub fn new(config: &DecompressConfig, tags: UpstreamTags) -> Self {
        Self {
            config: config.clone(),
            tags,
        }
    }

    fn bounds(&self, too_large: ProblemKind, broken: ProblemKind) -> Bounds {
        Bounds {
            bytes: self.config.body_bytes.0,
            ratio: u64::from(self.config.ratio),
            too_large,
            broken,
        }
    }
}

/// The bytes of a body are others now: what was said of them does not hold, and a strong validator is a weak one (RFC 9110,
/// section 8.8.1).
pub(super) fn changed(headers: &mut HeaderMap) {
    for name in OF_BYTES {
        headers.remove(name);
    }
    entity_tags::weaken(headers);
}
