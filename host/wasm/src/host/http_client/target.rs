//! Which granted origin a URL of a plugin is for. Compared piece by piece in normal form, never as text: what looks like
//! a granted origin and is none is not granted.

use gatewright_config::gateway::OriginGrant;
use gatewright_core::path::normalise;
use http::Uri;
use http::uri::PathAndQuery;

/// Longest URL.
const URL_BYTES: usize = 8 << 10;

/// Why a URL leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misdirected {
    /// To an origin that is not granted: this one.
    NotGranted(String),
    /// It is no URL that can be asked for.
    NoUrl(String),
}

/// The number of the origin in `grants`, and path and query in normal form.
pub(super) fn target(url: &str, grants: &[OriginGrant]) -> Result<(usize, PathAndQuery), Misdirected> {
    if url.len() > URL_BYTES {
        return Err(no_url("a URL of more than 8192 bytes"));
    }
    // `Uri` cuts a fragment off in silence.
    if url.contains('#') {
        return Err(no_url("a URL with a fragment"));
    }
    let uri: Uri = url.parse().map_err(|_| no_url("a URL that is none"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(no_url("a URL that is neither `http` nor `https`")),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(no_url("a URL with user information"));
    }
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let port = match uri.port_u16() {
        Some(port) => port,
        None if has_port => return Err(no_url("a URL with an impossible port")),
        None if tls => 443,
        None => 80,
    };
    let path = normalise(uri.path()).map_err(|error| Misdirected::NoUrl(error.to_string()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_granted = |grant: &OriginGrant| {
        let OriginGrant {
            tls: with_tls,
            host,
            port: at_port,
            path: base,
            place: _,
        } = grant;
        *with_tls == tls && host == bare && *at_port == port && is_within(&path, base)
    };
    let Some(origin) = grants.iter().position(is_granted) else {
        let scheme = if tls { "https" } else { "http" };
        return Err(Misdirected::NotGranted(format!("{scheme}://{host}:{port}{path}")));
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = PathAndQuery::try_from(format!("{path}{query}")).map_err(|_| no_url("a URL that is none"))?;
    Ok((origin, target))
}

fn is_within(path: &str, base: &str) -> bool {
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| base.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

fn no_url(reason: &str) -> Misdirected {
    Misdirected::NoUrl(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_config::Place;

    fn grant(tls: bool, host: &str, port: u16, path: &str) -> OriginGrant {
        OriginGrant {
            tls,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            place: Place::nowhere(),
        }
    }

    fn grants() -> [OriginGrant; 3] {
        [
            grant(true, "idp.example.com", 443, ""),
            grant(false, "::1", 8080, ""),
            grant(true, "api.example.com", 8443, "/v1/users"),
        ]
    }

    #[test]
    fn a_granted_origin_is_found_however_it_is_written() {
        for (url, expected) in [
            ("https://idp.example.com", (0, "/")),
            ("https://IDP.example.com:443/a/../b?c=/../d", (0, "/b?c=/../d")),
            ("http://[::1]:8080/%61", (1, "/a")),
            ("https://api.example.com:8443/v1/users", (2, "/v1/users")),
            ("https://api.example.com:8443/v1/users/", (2, "/v1/users/")),
            ("https://api.example.com:8443/x/../v1/users/7", (2, "/v1/users/7")),
        ] {
            let (origin, target) = target(url, &grants()).unwrap_or_else(|error| panic!("{url}: {error:?}"));
            assert_eq!((origin, target.as_str()), expected, "{url}");
        }
    }

    #[test]
    fn what_looks_like_a_granted_origin_is_not_granted() {
        for url in [
            "http://idp.example.com/",
            "https://idp.example.com.evil.org/",
            "https://idp.example.com.:443/",
            "https://evil-idp.example.com/",
            "https://idp.example.com:444/",
            "https://example.com/idp.example.com",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]:8080/",
            "https://api.example.com:8443/",
            "https://api.example.com:8443/v1/usersecrets",
            "https://api.example.com:8443/v1/users/../admin",
            "https://api.example.com:8443/V1/users",
        ] {
            let found = target(url, &grants());
            assert!(matches!(found, Err(Misdirected::NotGranted(_))), "{url}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_url_or_can_be_read_in_two_ways_is_refused() {
        let long = format!("https://idp.example.com/{}", "a".repeat(URL_BYTES));
        for url in [
            "",
            "/path",
            "idp.example.com",
            "ftp://idp.example.com/",
            "https://user:password@idp.example.com/",
            "https://idp.example.com@evil.org/",
            "https://idp.example.com/#a",
            "https://idp.example.com#@evil.org/",
            "https://idp.example.com:/",
            "https://idp.example.com:99999/",
            "https://idp.example.com\\@evil.org/",
            "https://idp.example.com/a\\b",
            "https://idp.example.com/%2e%2e/%2f",
            "https://api.example.com:8443/v1/users/..%2fadmin",
            "https://api.example.com:8443/v1/users/%2e%2e/admin",
            "https://idp.example.com/../../a",
            "https://idp.example.com/a b",
            "https://idp.example.com/a\r\nHost: evil.org",
            &long,
        ] {
            let found = target(url, &grants());
            assert!(matches!(found, Err(Misdirected::NoUrl(_))), "{url}: {found:?}");
        }
    }
}
