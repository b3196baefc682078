//! Responses: the head a transform reads, and the whole response a plugin makes.

use super::Fields;

/// Status and header section of a response, as far as the plugin asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// 200 to 599.
    pub status: u16,
    /// Only the fields asked for in `Info::response_fields`.
    pub fields: Fields,
}

impl ResponseHead {
    /// The first value of a header as text; `None` when there is none or it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// The first value of a header.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.bytes(name)
    }

    /// Every value of a header, in order.
    pub fn headers_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields.all(name)
    }
}

/// A complete response. The gateway adds `content-length` and the rest of the framing, and refuses what is not
/// valid HTTP.
///
/// ```
/// use gatewright_sdk::Response;
/// let response = Response::new(404).header("x-reason", "gone").text("no such thing\n");
/// assert_eq!(response.fields.text("content-type"), Some("text/plain; charset=utf-8"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599; anything else is refused by the gateway.
    pub status: u16,
    /// Header fields.
    pub fields: Fields,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without fields and body.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            fields: Fields::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.append(name, value);
        self
    }

    /// Sets the body and nothing else.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a plain-text body and its `content-type`.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.fields.set("content-type", "text/plain; charset=utf-8");
        self.body(text.into())
    }

    /// Sets a JSON body and its `content-type`.
    ///
    /// # Errors
    /// `Fault::Internal` when the value cannot be serialised (a map with keys that are not text, for example).
    #[cfg(feature = "json")]
    pub fn json(mut self, value: &impl serde::Serialize) -> Result<Self, crate::Fault> {
        let text = serde_json::to_vec(value)
            .map_err(|error| crate::Fault::Internal(format!("cannot serialise the response: {error}")))?;
        self.fields.set("content-type", "application/json");
        Ok(self.body(text))
    }
}
