//! Outbound HTTP, to origins the operator granted. Waiting holds no thread of the gateway, but counts against the
//! call's budget. Redirects are not followed.

use std::fmt;
use std::time::Duration;

use crate::{Fault, Fields, Response, host};

/// A request to somewhere else.
///
/// ```no_run
/// use gatewright_sdk::http::HttpRequest;
/// let keys = HttpRequest::get("https://idp.example.com/keys").header("accept", "application/json").send()?;
/// # Ok::<(), gatewright_sdk::http::HttpError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// A token: `GET`.
    pub method: String,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// Header fields.
    pub fields: Fields,
    /// The body.
    pub body: Vec<u8>,
    /// None: the rest of the call's budget.
    pub timeout: Option<Duration>,
    /// None: the plugin's limit.
    pub max_response_bytes: Option<u32>,
}

impl HttpRequest {
    /// A request.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            fields: Fields::new(),
            body: Vec::new(),
            timeout: None,
            max_response_bytes: None,
        }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST", url)
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.append(name, value);
        self
    }

    /// Bounds how long to wait.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// Sends it and waits for the whole response. Any status is an answer, not an error.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub fn send(&self) -> Result<Response, HttpError> {
        host::http_send(self)
    }
}

/// Sends several requests at once, up to the plugin's limit of parallel requests, and waits for all of them. The
/// answers come in the order of the requests.
pub fn send_all(requests: &[HttpRequest]) -> Vec<Result<Response, HttpError>> {
    host::http_send_all(requests)
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The operator did not grant this origin.
    Forbidden,
    /// The request is not one.
    BadRequest(String),
    /// More requests than the plugin may send; one may be sent after this time.
    RateLimited(Duration),
    /// The name does not resolve.
    Dns(String),
    /// Nobody answers.
    Connect(String),
    /// The handshake failed.
    Tls(String),
    /// No response in time.
    Timeout,
    /// The response is longer than allowed.
    TooLarge,
    /// The response is not HTTP.
    Protocol(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden => f.write_str("the origin is not granted"),
            Self::BadRequest(text) => write!(f, "the request cannot be sent: {text}"),
            Self::RateLimited(wait) => write!(f, "too many requests; one may be sent in {wait:?}"),
            Self::Dns(text) => write!(f, "the name does not resolve: {text}"),
            Self::Connect(text) => write!(f, "cannot connect: {text}"),
            Self::Tls(text) => write!(f, "cannot agree on TLS: {text}"),
            Self::Timeout => f.write_str("no response in time"),
            Self::TooLarge => f.write_str("the response is too large"),
            Self::Protocol(text) => write!(f, "the response is not HTTP: {text}"),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Fault {
    fn from(error: HttpError) -> Self {
        match &error {
            HttpError::Forbidden => Self::Misconfigured(error.to_string()),
            HttpError::BadRequest(_) => Self::Internal(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
