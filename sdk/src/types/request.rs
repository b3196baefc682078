//! Request line and header section, as far as the plugin asked for them.

use super::Fields;
use crate::Fault;

/// The protocol version the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

/// As seen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// What every request hook can read; what is an option is none unless the plugin asked for it with
/// [`Info::parts`](crate::Info::parts). The inputs of the kinds dereference to it, so `request.header("accept")`
/// works on all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Case-sensitive, as received: `GET`.
    pub method: Option<String>,
    /// As seen by the client.
    pub scheme: Scheme,
    /// Host and port as the client named them.
    pub authority: Option<String>,
    /// Normalised, still percent-encoded, without query.
    pub path: Option<String>,
    /// What follows the first `?`, still percent-encoded; none when there is no `?`, too.
    pub query: Option<String>,
    /// The variables of the route's path, in order: `id` of `/users/{id}`, and what stands in its place, still
    /// percent-encoded.
    pub parameters: Option<Vec<(String, String)>>,
    /// The protocol version the client spoke.
    pub version: HttpVersion,
    /// Only the fields asked for in `Info::request_fields`.
    pub fields: Fields,
}

impl RequestHead {
    /// Case-sensitive, as received: `GET`.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Method`](crate::Part::Method).
    pub fn method(&self) -> Result<&str, Fault> {
        asked(self.method.as_deref(), "Method")
    }

    /// Host and port as the client named them.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Authority`](crate::Part::Authority).
    pub fn authority(&self) -> Result<&str, Fault> {
        asked(self.authority.as_deref(), "Authority")
    }

    /// Normalised, still percent-encoded, without query.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Path`](crate::Part::Path).
    pub fn path(&self) -> Result<&str, Fault> {
        asked(self.path.as_deref(), "Path")
    }

    /// What stands in the place of a variable of the route's path, if it has that one: `request.parameter("id")?`.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Parameters`](crate::Part::Parameters).
    pub fn parameter(&self, name: &str) -> Result<Option<&str>, Fault> {
        let mut parameters = asked(self.parameters.as_ref(), "Parameters")?.iter();
        Ok(parameters
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str()))
    }

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

    /// The first value of a query parameter, still percent-encoded; empty for a parameter without `=`.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self
            .query
            .as_deref()?
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

/// A part that the plugin reads, or the fault of one that reads what it did not ask for.
pub(super) fn asked<T>(part: Option<T>, name: &str) -> Result<T, Fault> {
    part.ok_or_else(|| Fault::Internal(format!("the plugin's `Info` does not ask for `Part::{name}`")))
}
