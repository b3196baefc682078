//! Fields that follow a body (RFC 9110, section 6.5): which of them are passed on.
//!
//! Stages never see them, so they must not say what a stage has decided: servers behind may put them among the fields of
//! the header section.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The trailers that are passed on, requests' and responses' alike. `underscores` says whether names with an underscore are.
pub fn allowed(trailers: HeaderMap, underscores: bool) -> HeaderMap {
    let may_follow = |name: &HeaderName| may_be_trailer(name) && (underscores || !has_underscore(name));
    if trailers.keys().all(may_follow) {
        return trailers;
    }
    let mut name = None;
    let fields = trailers.into_iter().filter_map(|(next, value)| {
        // The name of a field that is there several times comes with the first value only.
        name = next.or(name.take());
        name.clone().filter(may_follow).map(|name| (name, value))
    });
    let mut kept = HeaderMap::new();
    fields.for_each(|(name, value)| {
        kept.append(name, value);
    });
    kept
}

/// Leaves in `Trailer` only the names of fields that may follow, and that `may_follow` lets through, which gets the header
/// section too. HTTP/1 sends those trailers only that are announced.
pub fn settle_announcement(headers: &mut HeaderMap, may_follow: impl Fn(&HeaderMap, &HeaderName) -> bool) {
    if !headers.keys().any(|name| *name == header::TRAILER) {
        return;
    }
    let announced = headers.get_all(header::TRAILER).iter();
    let announced = announced.filter_map(|value| value.to_str().ok());
    let names: Vec<String> = announced
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| may_be_trailer(name) && may_follow(headers, name))
        .map(|name| name.as_str().to_owned())
        .collect();
    match HeaderValue::try_from(names.join(", ")) {
        Ok(value) if !names.is_empty() => headers.insert(header::TRAILER, value),
        _ => headers.remove(header::TRAILER),
    };
}

/// Leaves no names with an underscore in `Trailer`.
pub fn announce_no_underscores(headers: &mut HeaderMap) {
    settle_announcement(headers, |_, name| !has_underscore(name));
}

fn has_underscore(name: &HeaderName) -> bool {
    name.as_str().contains('_')
}

/// Whether a field may be in a trailer section. What frames or routes a message, modifies a request, authenticates, controls
/// a response or says how content is to be read must not (RFC 9110, section 6.5.1), nor what tells where a request came
/// from. Servers that read an underscore as a hyphen read `content_length` too.
fn may_be_trailer(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 7] = [
        "accept",
        "access-control-",
        "if-",
        "proxy-",
        "sec-",
        "x-forwarded-",
        "x-gatewright-",
    ];
    let name = match has_underscore(name) {
        true => Cow::Owned(name.as_str().replace('_', "-")),
        false => Cow::Borrowed(name.as_str()),
    };
    !FORBIDDEN.contains(&&*name) && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

const FORBIDDEN: [&str; 63] = [
    // Framing and the connection.
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Routing, and where a request came from.
    "cf-connecting-ip",
    "forwarded",
    "host",
    "max-forwards",
    "origin",
    "referer",
    "true-client-ip",
    "user-agent",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
    // Modifiers of requests.
    "cache-control",
    "expect",
    "pragma",
    "prefer",
    "range",
    // Authentication.
    "authentication-info",
    "authorization",
    "cookie",
    "cookie2",
    "dpop",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    // Control of responses.
    "age",
    "allow",
    "alt-svc",
    "cdn-cache-control",
    "clear-site-data",
    "date",
    "expires",
    "location",
    "retry-after",
    "strict-transport-security",
    "vary",
    "warning",
    // How content is to be read.
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "content-type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_passed_on_unless_they_frame_route_modify_authenticate_or_control() {
        let names = |map: &HeaderMap| map.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        let good = [
            "x-sum",
            "grpc-status",
            "etag",
            "server-timing",
            "content-digest",
            "signature",
            "x_sum",
        ];
        let bad = [
            "range",
            "if-match",
            "x-forwarded-port",
            "x_forwarded_port",
            "content_length",
            "set-cookie",
            "content-type",
            "proxy-authorization",
        ];
        let mut trailers = HeaderMap::new();
        for name in good.into_iter().chain(bad) {
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static("2"));
        }
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let kept = allowed(trailers.clone(), true);
        assert_eq!(sorted(names(&kept)), sorted(good.map(str::to_owned).to_vec()));
        assert_eq!(kept.len(), 2 * good.len(), "each with all its values");
        let kept = allowed(trailers, false);
        assert!(!kept.contains_key("x_sum"));
        assert_eq!(kept.len(), 2 * good.len() - 2);
    }

    #[test]
    fn what_is_announced_is_what_may_follow() {
        let announcing = |value| HeaderMap::from_iter([(header::TRAILER, HeaderValue::from_static(value))]);
        let mut some = announcing("x-sum, Content-Length, authorization,X_Sum, x-user, x_real_ip");
        settle_announcement(&mut some, |_, name| name != "x-user");
        assert_eq!(some.get("trailer").unwrap(), "x-sum, x_sum");
        announce_no_underscores(&mut some);
        assert_eq!(some.get("trailer").unwrap(), "x-sum");
        let mut none = announcing("content-length");
        settle_announcement(&mut none, |_, _| true);
        assert!(none.is_empty());
    }
}
