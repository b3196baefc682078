//! Request transforms: change a request on its way to the integration, or answer it.

use std::ops::Deref;

use crate::{BodyEdit, Exchange, Fault, FieldEdit, Plugin, RequestHead, Response, TextEdit, Value};

/// Changes requests.
pub trait RequestTransform: Plugin {
    /// Runs once per request, when the chain reaches the plugin.
    ///
    /// # Errors
    /// The route's `on_fault` decides; no edit is applied.
    fn transform_request(&self, request: &TransformRequest) -> Result<RequestOutcome, Fault>;
}

/// What a request transform is given. Dereferences to the request head.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformRequest {
    /// The exchange.
    pub exchange: Exchange,
    /// The request.
    pub head: RequestHead,
    /// The body, for plugins that asked for it.
    pub body: Option<Vec<u8>>,
}

impl Deref for TransformRequest {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.head
    }
}

/// The answer of a request transform.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestOutcome {
    /// Go on, with these changes.
    Proceed(RequestEdits),
    /// Answer now; the upstream is not called.
    Respond(Response),
}

/// Changes of a request; what is not named stays as it was.
///
/// ```
/// use gatewright_sdk::RequestEdits;
/// let edits = RequestEdits::new().path("/v2/orders").set_header("x-version", "2").remove_header("x-debug");
/// assert_eq!(edits.fields.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestEdits {
    /// A token: `GET`.
    pub method: TextEdit,
    /// An absolute path without query; checked and normalised again by the gateway.
    pub path: TextEdit,
    /// Without the leading `?`.
    pub query: TextEdit,
    /// The `host` the upstream is told. Does not change where the request goes.
    pub authority: TextEdit,
    /// Header changes, in order.
    pub fields: Vec<FieldEdit>,
    /// The body.
    pub body: BodyEdit,
    /// Become `plugin.<plugin name>.<name>` of the exchange.
    pub attributes: Vec<(String, Value)>,
}

impl RequestEdits {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the method.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self {
            method: TextEdit::Set(method.into()),
            ..self
        }
    }

    /// Sets the path.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self {
            path: TextEdit::Set(path.into()),
            ..self
        }
    }

    /// Sets the query.
    #[must_use]
    pub fn query(self, query: impl Into<String>) -> Self {
        Self {
            query: TextEdit::Set(query.into()),
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

impl From<RequestEdits> for RequestOutcome {
    fn from(edits: RequestEdits) -> Self {
        Self::Proceed(edits)
    }
}

impl From<Response> for RequestOutcome {
    fn from(response: Response) -> Self {
        Self::Respond(response)
    }
}
