//! Responses for tests of response transforms.

use super::filtered::filtered;
use super::request::{TestRequest, buffered, content_length};
use crate::{
    BodyFilter, Direction, Fault, Fields, FilterInput, ResponseHead, ResponseOutcome, ResponseTransform,
    TransformResponse,
};

/// A response as an upstream might have sent it.
#[derive(Clone, Debug)]
pub struct TestResponse {
    request: TestRequest,
    head: ResponseHead,
    body: Vec<u8>,
}

impl TestResponse {
    /// A response to `GET /`.
    pub fn new(status: u16) -> Self {
        let head = ResponseHead {
            status,
            fields: Fields::new(),
        };
        Self {
            request: TestRequest::get("/"),
            head,
            body: Vec::new(),
        }
    }

    /// Says which request it answers.
    #[must_use]
    pub fn to(self, request: TestRequest) -> Self {
        Self { request, ..self }
    }

    /// Adds a header. The value need not be UTF-8.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.head.fields.append(name.to_ascii_lowercase(), value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Lets a body go through a filter, in these pieces, and returns what comes out; none when the plugin is not
    /// interested. The body set before has no part in it.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn filter<P: BodyFilter>(
        self,
        plugin: &P,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let info = P::info();
        let Self { request, mut head, .. } = self;
        let content_length = content_length(&head.fields);
        let request = request.seen_by(&info);
        head.fields.retain(|name| info.response_fields.selects(name));
        let input = FilterInput {
            exchange: request.exchange,
            direction: Direction::Response,
            request: request.head,
            response: Some(head),
            content_length,
        };
        filtered(plugin, info.response_body, &input, pieces)
    }

    /// Hands the response to a response transform.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn transform<P: ResponseTransform>(self, plugin: &P) -> Result<ResponseOutcome, Fault> {
        let Self {
            request,
            mut head,
            body,
        } = self;
        let info = P::info();
        let request = request.seen_by(&info);
        head.fields.retain(|name| info.response_fields.selects(name));
        let body = buffered(info.response_body, body);
        plugin.transform_response(&TransformResponse {
            exchange: request.exchange,
            request: request.head,
            head,
            body,
        })
    }
}
