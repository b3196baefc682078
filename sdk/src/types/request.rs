//! Request line and header section, as far as the plugin asked for them.

use super::Fields;

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

/// What every request hook can read. The inputs of the kinds dereference to it, so `request.header("accept")`
/// works on all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Case-sensitive, as received: `GET`.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port as the client named them.
    pub authority: String,
    /// Normalised, still percent-encoded, without query.
    pub path: String,
    /// What follows the first `?`, still percent-encoded.
    pub query: Option<String>,
    /// The protocol version the client spoke.
    pub version: HttpVersion,
    /// Only the fields asked for in `Info::request_fields`.
    pub fields: Fields,
}

impl RequestHead {
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
