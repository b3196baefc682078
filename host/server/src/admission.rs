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
use crate::listener::framing_line::plain_length;
use crate::router::host::parse_authority;
use crate::trailers;
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
pub fn admit(
    request: &mut Request,
    uri: &Uri,
    violation: Option<Violation>,
    bounds: &Bounds,
) -> Result<Asked, Problem> {
    let seen = Seen::in_names_of(&request.headers);
    check_framing(&request.headers, &seen, request.version, violation)?;
    if request.version == Version::HTTP_2 {
        check_translated(uri, &request.headers, &seen)?;
    }
    check_method(&request.method)?;
    check_upgrade(&request.headers, &seen, request.version)?;
    check_length(uri, bounds.uri_bytes)?;
    check_count(&request.headers, bounds.header_count)?;
    check_names(&mut request.headers, &seen, bounds.underscores)?;
    request.authority = settle_authority(uri, &mut request.headers, request.version)?;
    let authority = parse_authority(request.authority.as_bytes()).map_err(bad_request)?;
    request.host = authority.host.into_owned();
    check_loop(&request.headers, &seen, &bounds.via)?;
    if seen.cookie {
        join_cookies(&mut request.headers)?;
    }
    if is_asterisk(uri) {
        return match request.method {
            Method::OPTIONS => Ok(Asked::Server),
            _ => Err(bad_request("only OPTIONS may be asked of `*`")),
        };
    }
    request.target = settle_target(uri, bounds.encodings)?;
    Ok(Asked::Resource)
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What its path names.
    Resource,
    /// The server as a whole, which only `OPTIONS *` asks (RFC 9110, section 9.3.7).
    Server,
}

fn is_asterisk(uri: &Uri) -> bool {
    uri.path_and_query().is_some_and(|target| target.as_str() == "*")
}

/// Fields that are looked at where they are there, which they hardly ever are: looking through the names once costs less
/// than looking up each of them.
#[derive(Default)]
struct Seen {
    transfer_encoding: bool,
    content_length: bool,
    cookie: bool,
    expect: bool,
    trailer: bool,
    upgrade: bool,
    via: bool,
    underscore: bool,
}

impl Seen {
    fn in_names_of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            seen.transfer_encoding |= *name == header::TRANSFER_ENCODING;
            seen.content_length |= *name == header::CONTENT_LENGTH;
            seen.cookie |= *name == header::COOKIE;
            seen.expect |= *name == header::EXPECT;
            seen.trailer |= *name == header::TRAILER;
            seen.upgrade |= *name == header::UPGRADE;
            seen.via |= *name == header::VIA;
            seen.underscore |= name.as_str().contains('_');
        }
        seen
    }
}

/// A request that breaks the rules, and why.
pub fn bad_request(detail: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::BadRequest)
        .with_cause(&detail)
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
            let problem = Problem::new(ProblemKind::ExpectationFailed);
            Err(problem.with_cause("an expectation other than 100-continue"))
        }
        _ => Ok(()),
    }
}

/// HTTP/2 carries fields as they are, and no scanner looks at their bytes. What would be refused or trimmed as text of
/// HTTP/1 must not reach an upstream of HTTP/1 either (RFC 9113, section 8.2.1). A path that begins with a query gets its slash
/// from the library, although it has to have one (section 8.3.1).
fn check_translated(uri: &Uri, headers: &HeaderMap, seen: &Seen) -> Result<(), Problem> {
    if uri
        .path_and_query()
        .is_some_and(|target| target.as_str().starts_with('?'))
    {
        return Err(bad_request("the path does not begin with a slash"));
    }
    let is_padded = |value: &HeaderValue| matches!(value.as_bytes(), [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    if headers.values().any(is_padded) {
        return Err(bad_request("a field value begins or ends with white space"));
    }
    if !seen.content_length {
        return Ok(());
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let is_plain = lengths
        .next()
        .is_some_and(|length| plain_length(length.as_bytes()).is_some());
    let violation = match (is_plain, lengths.next()) {
        (true, None) => return Ok(()),
        (_, Some(_)) => Violation::RepeatedContentLength,
        (false, None) => Violation::BadContentLength,
    };
    Err(bad_request(violation.as_str()))
}

/// One `Cookie` field, whatever the client cut it into: HTTP/2 may send each pair by itself (RFC 9113, section 8.2.3), and
/// what several fields mean in HTTP/1 differs from server to server.
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Problem> {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else {
        return Ok(());
    };
    let mut joined = [first.as_bytes(), second.as_bytes()].join(&b"; "[..]);
    for cookie in cookies {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    let joined = HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)).map_err(bad_request)?;
    headers.insert(header::COOKIE, joined);
    Ok(())
}

fn is_chunked(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"chunked")
}

fn check_method(method: &Method) -> Result<(), Problem> {
    // A tunnel would go around every stage, and a trace would show what stages added for the upstream only.
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let problem = Problem::new(ProblemKind::NotImplemented);
        return Err(problem
            .with_cause(format_args!("the method {method} is not served"))
            .closing());
    }
    Ok(())
}

/// A request for another protocol that is answered as if it asked for none leaves the client with what it cannot use, and
/// the upstream with half of a handshake. Other versions of HTTP are offers that a server may pass over (RFC 9110, section
/// 7.8), as is any upgrade of HTTP/1.0.
fn check_upgrade(headers: &HeaderMap, seen: &Seen, version: Version) -> Result<(), Problem> {
    if !seen.upgrade || version != Version::HTTP_11 {
        return Ok(());
    }
    let protocols = headers
        .get_all(header::UPGRADE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if protocols.map(<[u8]>::trim_ascii).all(is_http) {
        return Ok(());
    }
    let problem = Problem::new(ProblemKind::NotImplemented).with_detail("Upgrades to other protocols are not served");
    Err(problem.with_cause("an upgrade to another protocol").closing())
}

/// Whether a protocol of `Upgrade` is HTTP itself, in another version or over TLS.
fn is_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
    [&b""[..], b"http", b"h2c", b"h2", b"tls"]
        .iter()
        .any(|http| name.eq_ignore_ascii_case(http))
}

fn check_length(uri: &Uri, limit: u64) -> Result<(), Problem> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length as u64 > limit {
        let problem = Problem::new(ProblemKind::UriTooLong);
        Err(problem.with_cause(format_args!(
            "a request target of {length} bytes; at most {limit} are taken"
        )))
    } else {
        Ok(())
    }
}

fn check_count(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let count = headers.len();
    if count > limit {
        let problem = Problem::new(ProblemKind::HeadersTooLarge);
        Err(problem.with_cause(format_args!("{count} header fields; at most {limit} are taken")))
    } else {
        Ok(())
    }
}

/// Names with an underscore are refused unless the listener says otherwise: many servers behind take `x_user` and `x-user` for
/// the same. Trailers come when it is too late to refuse the request, and are left out where fields are refused or dropped.
///
/// Names and values are what HTTP allows already: hyper refuses everything else.
fn check_names(headers: &mut HeaderMap, seen: &Seen, underscores: Underscores) -> Result<(), Problem> {
    if seen.trailer && underscores != Underscores::Accept {
        trailers::announce_no_underscores(headers);
    }
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
        true => {
            Err(Problem::new(ProblemKind::LoopDetected).with_cause("the request has come through this gateway before"))
        }
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
