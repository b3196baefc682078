//! What a preflight request tells of the fields of the request that it asks about.

use http::header::{self, HeaderMap, HeaderName};

/// What is known of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// It is announced, and only its value is not known.
    WillCome,
    /// Scripts and browsers may send it without announcing it.
    MayCome,
    /// What the preflight has of it is what the request will have.
    Same,
}

/// Fields that scripts may set without asking (Fetch standard, section 2.2.2, "CORS-safelisted request-header"), and those
/// that a browser adds to a request and not to its preflight.
const UNANNOUNCED: [HeaderName; 12] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::PRAGMA,
    header::RANGE,
    header::UPGRADE_INSECURE_REQUESTS,
];

/// What a preflight with these fields tells of the field of that name.
pub(super) fn announced(preflight: &HeaderMap, name: &HeaderName) -> Announced {
    let lists = preflight.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let is_listed = lists
        .iter()
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(name.as_str()));
    if is_listed {
        Announced::WillCome
    } else if UNANNOUNCED.contains(name) || name.as_str().starts_with("sec-") {
        Announced::MayCome
    } else {
        Announced::Same
    }
}
