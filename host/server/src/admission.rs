//! From bytes that hyper took for a request to a request that the gateway answers for.
//!
//! Everything a later decision rests on is settled here, once: one authority, one path, one set of header fields. What
//! could be read in two ways is refused (RFC 9112, sections 3.2 and 6.3; RFC 9113, section 8.3).

use std::borrow::Cow;

use gatewright_config::Underscores;
use gatewright_core::path::Encodings;
use gatewright_core::{Problem, ProblemKind, Request};
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Version};

use crate::listener::framing::Violation;
use crate::router::host::parse_authority;
use crate::via;

/// What admission asks of the listener.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of the request target.
    pub uri_bytes: u64,
    /// Header fields. hyper counts those of HTTP/1 while it reads them, and those of HTTP/2 never.
    pub header_count: usize,
    /// What becomes of fields whose name has an underscore.
    pub underscores: Underscores,
    /// Percent-encoding that a route of the listener lets through: it stays as it is until the route is known.
    pub encodings: Encodings,
    /// The pseudonym in `Via` of this process.
    pub via: HeaderValue,
}

/// Checks a request's head, and brings it to normal form.
///
/// # Errors
/// The problem that the client is told; the request must not be looked at any further.
pub fn admit(request: &mut Request, uri: &Uri, violation: Option<Violation>, bounds: &Bounds) -> Result<(), Problem> {
    let seen = Seen::in_names_of(&request.headers);
    check_framing(&request.headers, &seen, request.version, violation)?;
    check_method(&request.method, uri)?;
    check_length(uri, bounds.uri_bytes)?;
    check_count(&request.headers, bounds.header_count)?;
    check_names(&mut request.headers, &seen, bounds.underscores)?;
    request.authority = settle_authority(uri, &mut request.headers, request.version)?;
    let authority = parse_authority(request.authority.as_bytes()).map_err(bad_request)?;
    request.host = authority.host.into_owned();
    check_loop(&request.headers, &seen, &bounds.via)?;
    request.target = settle_target(uri, bounds.encodings)?;
    Ok(())
}

/// Fields that are looked at where they are there, which they hardly ever are: looking through the names once costs less
/// than looking up each of them.
#[derive(Default)]
struct Seen {
    transfer_encoding: bool,
    expect: bool,
    via: bool,
    underscore: bool,
}

impl Seen {
    fn in_names_of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            seen.transfer_encoding |= *name == header::TRANSFER_ENCODING;
            seen.expect |= *name == header::EXPECT;
            seen.via |= *name == header::VIA;
            seen.underscore |= name.as_str().contains('_');
        }
        seen
    }
}

/// A request that breaks the rules, and why.
pub fn bad_request(detail: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::BadRequest)
        .with_detail(format!("Bad Request: {detail}"))
        .closing()
}

fn check_framing(
    headers: &HeaderMap,
    seen: &Seen,
    version: Version,
    violation: Option<Violation>,
) -> Result<(), Problem> {
    if let Some(violation) = violation {
        let kind = match violation {
            Violation::BadTransferEncoding => ProblemKind::NotImplemented,
            _ => ProblemKind::BadRequest,
        };
        return Err(Problem::new(kind).with_cause(violation.as_str()).closing());
    }
    // HTTP/2 frames its messages itself (RFC 9113, section 8.2.2); hyper refuses the field there.
    let http1 = version < Version::HTTP_2;
    if seen.transfer_encoding
        && http1
        && headers
            .get_all(header::TRANSFER_ENCODING)
            .iter()
            .any(|value| !is_chunked(value))
    {
        return Err(Problem::new(ProblemKind::NotImplemented)
            .with_cause("unknown transfer coding")
            .closing());
    }
    let expect = seen.expect.then(|| headers.get(header::EXPECT)).flatten();
    match expect {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(ProblemKind::ExpectationFailed.into())
        }
        _ => Ok(()),
    }
}

fn is_chunked(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"chunked")
}

fn check_method(method: &Method, uri: &Uri) -> Result<(), Problem> {
    // A tunnel would go around every stage, and a trace would show what stages added for the upstream only.
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(Problem::new(ProblemKind::NotImplemented).closing());
    }
    if uri.path() == "*" {
        return Err(bad_request("the asterisk form of the request target is not served"));
    }
    Ok(())
}

fn check_length(uri: &Uri, limit: u64) -> Result<(), Problem> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length as u64 > limit {
        Err(ProblemKind::UriTooLong.into())
    } else {
        Ok(())
    }
}

fn check_count(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    if headers.len() > limit {
        Err(ProblemKind::HeadersTooLarge.into())
    } else {
        Ok(())
    }
}

/// Names with an underscore are refused unless the listener says otherwise: many servers behind take `x_user` and `x-user` for
/// the same.
///
/// Names and values are what HTTP allows already: hyper refuses everything else.
fn check_names(headers: &mut HeaderMap, seen: &Seen, underscores: Underscores) -> Result<(), Problem> {
    match underscores {
        _ if !seen.underscore => {}
        Underscores::Refuse => return Err(bad_request("a header field name contains an underscore")),
        Underscores::Drop => {
            let has_underscore = |name: &&HeaderName| name.as_str().contains('_');
            let dropped: Vec<_> = headers.keys().filter(has_underscore).cloned().collect();
            for name in dropped {
                headers.remove(name);
            }
        }
        Underscores::Accept => {}
    }
    Ok(())
}

/// The one authority: `:authority` or an absolute target, which `Host` may repeat but not contradict, or else `Host`.
fn settle_authority(uri: &Uri, headers: &mut HeaderMap, version: Version) -> Result<HeaderValue, Problem> {
    let host = match headers.try_entry(header::HOST) {
        Ok(Entry::Occupied(hosts)) if hosts.iter().nth(1).is_some() => {
            return Err(bad_request("more than one Host"));
        }
        Ok(Entry::Occupied(host)) => Some(host.remove()),
        _ => None,
    };
    if host.is_none() && version == Version::HTTP_11 {
        return Err(bad_request("Host is missing"));
    }
    match (uri.authority(), host) {
        (None, Some(host)) => Ok(host),
        (Some(authority), host) => {
            if host.is_some_and(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
                return Err(bad_request("Host differs from the request target's authority"));
            }
            HeaderValue::from_str(authority.as_str()).map_err(bad_request)
        }
        (None, None) => Err(bad_request("the authority is missing")),
    }
}

fn check_loop(headers: &HeaderMap, seen: &Seen, via: &HeaderValue) -> Result<(), Problem> {
    if !seen.via {
        return Ok(());
    }
    match via::goes_in_a_circle(headers, via) {
        true => Err(ProblemKind::LoopDetected.into()),
        false => Ok(()),
    }
}

fn settle_target(uri: &Uri, encodings: Encodings) -> Result<PathAndQuery, Problem> {
    let target = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    match encodings.normalise(target.path()).map_err(bad_request)? {
        Cow::Borrowed(_) => Ok(target),
        Cow::Owned(path) => with_path(path, &target),
    }
}

/// The path that a route makes of the one of its request, where it reads encodings in its own way; none where it is the same.
///
/// # Errors
/// When the route refuses it.
pub fn as_the_route_reads_it(target: &PathAndQuery, encodings: Encodings) -> Result<Option<PathAndQuery>, Problem> {
    let path = encodings.normalise(target.path()).map_err(bad_request)?;
    match path == target.path() {
        true => Ok(None),
        false => with_path(path.into_owned(), target).map(Some),
    }
}

fn with_path(path: String, target: &PathAndQuery) -> Result<PathAndQuery, Problem> {
    let text = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    PathAndQuery::try_from(text).map_err(bad_request)
}
