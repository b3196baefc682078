//! Response transforms: change a response on its way to the client, or replace it.

use std::ops::Deref;

use crate::{BodyEdit, Exchange, Fault, FieldEdit, Plugin, RequestHead, Response, ResponseHead, Value};

/// Changes responses.
pub trait ResponseTransform: Plugin {
    /// Runs once per response, if the request passed this plugin.
    ///
    /// # Errors
    /// The route's `on_fault` decides; no edit is applied.
    fn transform_response(&self, response: &TransformResponse) -> Result<ResponseOutcome, Fault>;
}

/// What a response transform is given. Dereferences to the response head.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformResponse {
    /// The exchange.
    pub exchange: Exchange,
    /// The request as it was when it reached the plugin.
    pub request: RequestHead,
    /// The response.
    pub head: ResponseHead,
    /// The body, for plugins that asked for it, with its content codings as they are.
    pub body: Option<Vec<u8>>,
}

impl Deref for TransformResponse {
    type Target = ResponseHead;

    fn deref(&self) -> &ResponseHead {
        &self.head
    }
}

/// The answer of a response transform.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseOutcome {
    /// Send it, with these changes.
    Proceed(ResponseEdits),
    /// Send this instead.
    Replace(Response),
}

/// Changes of a response; what is not named stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseEdits {
    /// 200 to 599.
    pub status: Option<u16>,
    /// Header changes, in order.
    pub fields: Vec<FieldEdit>,
    /// The body.
    pub body: BodyEdit,
    /// Become `plugin.<plugin name>.<name>` of the exchange.
    pub attributes: Vec<(String, Value)>,
}

impl ResponseEdits {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Replaces every value of a header.
    #[must_use]
    pub fn set_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push(FieldEdit::Set(name.into(), value.into()));
        self
    }

    /// Adds a value to a header.
    #[must_use]
    pub fn append_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push(FieldEdit::Append(name.into(), value.into()));
        self
    }

    /// Takes a header away.
    #[must_use]
    pub fn remove_header(mut self, name: impl Into<String>) -> Self {
        self.fields.push(FieldEdit::Remove(name.into()));
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: BodyEdit::Replace(body.into()),
            ..self
        }
    }

    /// Adds an attribute to the exchange.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }
}

impl From<ResponseEdits> for ResponseOutcome {
    fn from(edits: ResponseEdits) -> Self {
        Self::Proceed(edits)
    }
}

impl From<Response> for ResponseOutcome {
    fn from(response: Response) -> Self {
        Self::Replace(response)
    }
}
