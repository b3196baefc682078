//! Header fields that belong to a connection or to the gateway, and not to a message that is passed on.

use crate::trailers;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

/// The error's code, on every response that the gateway made because something went wrong.
pub const X_GATEWRIGHT_ERROR: HeaderName = HeaderName::from_static("x-gatewright-error");
/// The exchange's id, on the same responses.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Addresses that a request came through.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Scheme that the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Host that the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Port that the client connected to.
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// Another name of [`X_FORWARDED_PROTO`].
pub const X_FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-scheme");
/// `on` for `https`, another way to say what [`X_FORWARDED_PROTO`] says.
pub const X_FORWARDED_SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
/// The client's address alone.
pub const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// How many requests a window allows.
pub const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many are left.
pub const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Seconds until all are there again.
pub const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// Who counted, when that is not as configured.
pub const X_GATEWRIGHT_LIMIT: HeaderName = HeaderName::from_static("x-gatewright-limit");

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes what belongs to the client's connection and not to the request: the fields named by `Connection`, and those
/// that always do.
///
/// `Connection: close` and names of fields that a sender must not take back are no reason to remove anything.
pub fn clean_request(headers: &mut HeaderMap) {
    // Trailers are passed on, so whoever can take them from the gateway can take them from behind it.
    if remove_hop_by_hop(headers).is_some_and(|te| accepts_trailers(&te)) {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes what belongs to the upstream's connection and not to the response, as with a request, and leaves in `Trailer`
/// only the names of fields that may be in a trailer section.
pub fn clean_response(headers: &mut HeaderMap) {
    // What a request may say of trailers makes no sense in a response.
    remove_hop_by_hop(headers);
    trailers::settle_announcement(headers, |_, _| true);
}

/// Makes sure that nobody but the client keeps a response, which has something in it that is for that client alone.
pub fn keep_private(headers: &mut HeaderMap) {
    let says = headers.get_all(header::CACHE_CONTROL).iter();
    let mut says = says.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_private = says.any(|one| {
        let one = one.trim_ascii();
        one.eq_ignore_ascii_case(b"private") || one.eq_ignore_ascii_case(b"no-store")
    });
    if !is_private {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    // They would have the last word with the caches that they are for (RFC 9213).
    headers.remove(CDN_CACHE_CONTROL);
    headers.remove(SURROGATE_CONTROL);
}

/// Fields that end at this hop even where `Connection` does not name them (RFC 9110, section 7.6.1), beside `Connection`
/// itself and `TE`.
const HOP_BY_HOP: [HeaderName; 4] = [KEEP_ALIVE, PROXY_CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE];

/// Fields that HTTP/2 has no place for (RFC 9113, section 8.2.2).
pub const CONNECTION_SPECIFIC: [HeaderName; 6] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What `TE` said is all that is worth knowing of them.
fn remove_hop_by_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    // Most messages have none of them but `Connection: keep-alive`: looking through the names once is what they cost.
    let [mut has_te, mut has_connection, mut has_others] = [false; 3];
    for name in headers.keys() {
        match name.as_str() {
            "te" => has_te = true,
            "connection" => has_connection = true,
            "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => has_others = true,
            _ => {}
        }
    }
    let te = if has_te { headers.remove(header::TE) } else { None };
    if has_connection {
        remove_connection(headers);
    }
    if has_others {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
    }
    te
}

/// Removes `Connection` and the fields that it names.
fn remove_connection(headers: &mut HeaderMap) {
    let mut named = Vec::new();
    if let Ok(Entry::Occupied(connection)) = headers.try_entry(header::CONNECTION) {
        for value in connection
            .iter()
            .filter(|value| !is_connection_option(value.as_bytes()))
        {
            named.extend(field_names(value));
        }
        connection.remove();
    }
    for name in named {
        headers.remove(name);
    }
}

/// The names of fields in a value of `Connection`.
///
/// Fields that say where a request comes from are not among them: a client must not have taken away what a proxy added
/// after it.
fn field_names(value: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    let options = value.to_str().unwrap_or_default().split(',').map(str::trim);
    options
        .filter(|option| !is_connection_option(option.as_bytes()))
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .filter(|name| !is_forwarding(name))
}

/// Whether a field says where a request comes from, which only trusted proxies may.
pub fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "front-end-https" | "x-real-ip" | "x-url-scheme") || name.starts_with("x-forwarded-")
}

fn accepts_trailers(te: &HeaderValue) -> bool {
    te.as_bytes()
        .split(|byte| *byte == b',')
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Whether it names no field but says what becomes of the connection, as most do, and nearly all in lower case.
fn is_connection_option(name: &[u8]) -> bool {
    matches!(name, b"keep-alive" | b"close")
        || name.eq_ignore_ascii_case(b"keep-alive")
        || name.eq_ignore_ascii_case(b"close")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn fields_named_by_connection_end_here() {
        let mut headers = headers(&[
            ("connection", "close, x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("accept", "*/*"),
        ]);
        clean_request(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["accept", "te"]
        );
    }

    #[test]
    fn where_a_request_comes_from_is_not_taken_away_by_connection() {
        let mut headers = headers(&[
            ("connection", "X-Forwarded-For, forwarded, x-secret"),
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", "for=192.0.2.7"),
            ("x-secret", "1"),
        ]);
        clean_request(&mut headers);
        assert!(headers.contains_key("x-forwarded-for") && headers.contains_key("forwarded"));
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn trailers_are_accepted_though_connection_names_te_as_it_should() {
        let mut headers = headers(&[("connection", "te"), ("te", "trailers"), ("x-secret", "1")]);
        headers.append(header::CONNECTION, HeaderValue::from_static("Keep-Alive, x-secret"));
        clean_request(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.get(header::TE).unwrap(), "trailers");
    }
}
