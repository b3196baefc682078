//! What responses say of the cache: `Cache-Status` (RFC 9211).

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The field.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Answered from what is kept, fresh for so many seconds.
    Hit(u64),
    /// Answered from what another request has just fetched.
    Collapsed(u64),
    /// Answered from what is kept though it is stale.
    Stale,
    /// Passed the request on.
    Forwarded {
        /// Why, in the words of the RFC.
        why: &'static str,
        /// What came, where that is not what is answered.
        status: Option<u16>,
        /// Whether what came is kept.
        stored: bool,
    },
}

/// Says it in a response, after what caches before it have said.
pub(super) fn say(headers: &mut HeaderMap, said: Said) {
    let mut text = String::with_capacity(40);
    // Writing to a string cannot fail.
    let _ = match said {
        Said::Hit(fresh) => write!(text, "gatewright; hit; ttl={fresh}"),
        Said::Collapsed(fresh) => write!(text, "gatewright; hit; ttl={fresh}; collapsed"),
        Said::Stale => write!(text, "gatewright; hit; detail=stale"),
        Said::Forwarded { why, status, stored } => {
            let _ = write!(text, "gatewright; fwd={why}");
            let _ = status.map_or(Ok(()), |status| write!(text, "; fwd-status={status}"));
            write!(text, "{}", if stored { "; stored" } else { "" })
        }
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.append(CACHE_STATUS, value);
    }
}
