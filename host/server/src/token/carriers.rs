//! Where a client puts its token or its API key, and how a token is taken out of a request that goes on without it.

use std::borrow::Cow;

use gatewright_config::{TokenCarriers, TokenSource};
use gatewright_core::Request;
use http::header::{COOKIE, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use super::rules::Refusal;

/// Looks for tokens.
pub struct Carriers {
    sources: Vec<Carrier>,
    hidden: Vec<Carrier>,
    longest: usize,
}

/// One place in a request where a client puts a token, or an API key.
#[derive(Debug)]
pub enum Carrier {
    /// A header field: its whole value, or what follows an authentication scheme.
    Header {
        /// Its name.
        name: HeaderName,
        /// The scheme, compared without case.
        scheme: Option<String>,
    },
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl Carriers {
    /// Looks where the configuration says.
    #[must_use]
    pub fn new(config: &TokenCarriers) -> Self {
        Self {
            sources: config.sources.iter().filter_map(Carrier::new).collect(),
            longest: usize::try_from(config.bytes.0).unwrap_or(usize::MAX),
            hidden: config.hidden.iter().filter_map(Carrier::new).collect(),
        }
    }

    /// The token of a request.
    ///
    /// # Errors
    /// When it has none, or one that is longer than any that is looked at.
    pub fn token<'r>(&self, request: &'r Request) -> Result<Cow<'r, [u8]>, Refusal> {
        let token = self.sources.iter().find_map(|source| source.read(request));
        match token {
            None => Err(Refusal::Missing),
            Some(token) if token.len() > self.longest => Err(Refusal::invalid("it is longer than `token_bytes`")),
            Some(token) => Ok(token),
        }
    }

    /// Takes tokens out of a request whose upstream should not get them, from wherever one may be: also from where this token was not.
    pub fn settle(&self, request: &mut Request) {
        self.hidden.iter().for_each(|source| source.remove(request));
    }
}

impl Carrier {
    /// A header field; none for a name that is no header name.
    #[must_use]
    pub fn header(name: &str, scheme: Option<&str>) -> Option<Self> {
        Some(Self::Header {
            name: HeaderName::from_bytes(name.as_bytes()).ok()?,
            scheme: scheme.map(str::to_owned),
        })
    }

    /// None for a name that is no header name; the configuration has refused such.
    fn new(config: &TokenSource) -> Option<Self> {
        Some(match config {
            TokenSource::Header { name, scheme } => Self::header(name, scheme.as_deref())?,
            TokenSource::Query(name) => Self::Query(name.clone()),
            TokenSource::Cookie(name) => Self::Cookie(name.clone()),
        })
    }

    /// What the request has here. Two values are none: whoever is behind might take the other one.
    #[must_use]
    pub fn read<'r>(&self, request: &'r Request) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Header { name, scheme } => {
                let mut values = request.headers.get_all(name).iter();
                let value = values.next()?.as_bytes();
                if values.next().is_some() {
                    return None;
                }
                match scheme {
                    Some(scheme) => credentials(value, scheme).map(Cow::Borrowed),
                    None => Some(Cow::Borrowed(value)),
                }
            }
            Self::Query(name) => parameter(request, name),
            Self::Cookie(name) => cookie(request, name).map(|value| Cow::Borrowed(value.as_bytes())),
        }
    }

    /// Takes out of a request whatever it has here.
    pub fn remove(&self, request: &mut Request) {
        match self {
            Self::Header { name, .. } => {
                request.headers.remove(name);
            }
            Self::Query(name) => {
                let Some(query) = request.query() else { return };
                let rest: Vec<_> = query
                    .split('&')
                    .filter(|pair| !is_named(pair.split_once('=').map_or(*pair, |(key, _)| key), name))
                    .collect();
                let target = match rest.as_slice() {
                    [] => request.path().to_owned(),
                    rest => format!("{}?{}", request.path(), rest.join("&")),
                };
                // It is a part of what was a target.
                if let Ok(target) = PathAndQuery::try_from(target) {
                    request.target = target;
                }
            }
            Self::Cookie(name) => remove_cookie(request, |other| other == name),
        }
    }
}

/// What follows the scheme and a space; schemes are compared without case (RFC 9110, section 11.1).
fn credentials<'v>(value: &'v [u8], scheme: &str) -> Option<&'v [u8]> {
    let (found, rest) = value.split_at_checked(scheme.len())?;
    if !found.eq_ignore_ascii_case(scheme.as_bytes()) || !rest.starts_with(b" ") {
        return None;
    }
    Some(rest.trim_ascii())
}

/// The value of the only query parameter of that name.
#[must_use]
pub fn parameter<'r>(request: &'r Request, name: &str) -> Option<Cow<'r, [u8]>> {
    let mut values = pairs(request.query()?).filter(|(key, _)| is_named(key, name));
    let (_, value) = values.next()?;
    values.next().is_none().then(|| percent_decode_str(value).into())
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn is_named(key: &str, name: &str) -> bool {
    percent_decode_str(key).eq(name.bytes())
}

/// The cookies of a request as they were sent, by name where they have one. What one of them says, in whatever characters,
/// is no reason not to see the others.
fn pieces(request: &Request) -> impl Iterator<Item = (Option<&str>, &[u8])> {
    let fields = request.headers.get_all(COOKIE).iter();
    let pieces = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pieces
        .map(<[u8]>::trim_ascii)
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let name = piece.split(|byte| *byte == b'=').next();
            let name = name.filter(|name| name.len() < piece.len());
            (name.and_then(|name| std::str::from_utf8(name).ok()), piece)
        })
}

/// The cookies of a request, by name and value, in the order in which they were sent.
pub fn cookies(request: &Request) -> impl Iterator<Item = (&str, &str)> {
    pieces(request).filter_map(|(name, piece)| {
        let name = name?;
        let value = piece.get(name.len() + 1..)?;
        Some((name, std::str::from_utf8(value).ok()?))
    })
}

/// The value of the only cookie of that name.
#[must_use]
pub fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut values = cookies(request).filter(|(other, _)| *other == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

/// Takes cookies out of a request.
pub fn remove_cookie(request: &mut Request, is_it: impl Fn(&str) -> bool) {
    let is_it = |name: Option<&str>| name.is_some_and(&is_it);
    if !pieces(request).any(|(name, _)| is_it(name)) {
        return;
    }
    let rest: Vec<_> = pieces(request)
        .filter(|(name, _)| !is_it(*name))
        .map(|(_, piece)| piece)
        .collect();
    let rest = HeaderValue::try_from(rest.join(&b"; "[..]));
    request.headers.remove(COOKIE);
    if let Ok(rest) = rest
        && !rest.is_empty()
    {
        request.headers.insert(COOKIE, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_config::ByteSize;
    use http::{HeaderMap, Method, Version};

    fn carriers(sources: Vec<TokenSource>) -> Carriers {
        Carriers::new(&TokenCarriers {
            hidden: sources.clone(),
            sources,
            bytes: ByteSize(8),
        })
    }

    fn request(target: &'static str, fields: &[(&'static str, &'static str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("a"),
            host: "a".to_owned(),
            target: target.parse().unwrap(),
            version: Version::HTTP_11,
            encodings: gatewright_core::path::Encodings::default(),
            headers,
        }
    }

    fn everywhere() -> Carriers {
        carriers(vec![
            TokenSource::Header {
                name: "authorization".to_owned(),
                scheme: Some("Bearer".to_owned()),
            },
            TokenSource::Query("access_token".to_owned()),
            TokenSource::Cookie("token".to_owned()),
        ])
    }

    #[test]
    fn a_token_is_read_where_it_is_and_only_once() {
        let carriers = everywhere();
        let found = |request: Request| match carriers.token(&request) {
            Ok(token) => String::from_utf8(token.into_owned()).unwrap(),
            Err(refusal) => format!("{refusal:?}"),
        };
        assert_eq!(found(request("/", &[("authorization", "bEARER  abc")])), "abc");
        assert_eq!(found(request("/?a=b&access%5Ftoken=a%62c", &[])), "abc");
        assert_eq!(
            found(request("/", &[("cookie", "a=b; token=abc"), ("cookie", "c=d")])),
            "abc"
        );
        for missing in [
            request("/", &[]),
            request("/", &[("authorization", "Basic abc")]),
            request("/", &[("authorization", "Bearer")]),
            request("/", &[("authorization", "Bearer a"), ("authorization", "Bearer a")]),
            request("/?access_token=a&access_token=a", &[]),
            request("/", &[("cookie", "token=a; token=b")]),
            request("/", &[("cookie", "token=a"), ("cookie", "token=a")]),
        ] {
            assert_eq!(found(missing), "Missing");
        }
        assert!(found(request("/?access_token=123456789", &[])).contains("longer"));
    }

    #[test]
    fn other_cookies_may_be_in_any_characters() {
        let mut request = request("/", &[]);
        let field = HeaderValue::from_bytes(b"name=Jos\xe9; token=abc; alone;").unwrap();
        request.headers.insert(COOKIE, field);
        assert_eq!(cookie(&request, "token"), Some("abc"));
        remove_cookie(&mut request, |name| name == "token");
        assert_eq!(request.headers[COOKIE].as_bytes(), b"name=Jos\xe9; alone");
    }

    #[test]
    fn a_token_that_is_not_forwarded_is_gone_and_nothing_else_is() {
        let mut request = request(
            "/a?x=1&access%5Ftoken=abc&y",
            &[
                ("authorization", "Bearer a"),
                ("cookie", "a=b; token=abc"),
                ("cookie", "c=d"),
            ],
        );
        everywhere().settle(&mut request);
        assert_eq!(request.target, "/a?x=1&y");
        assert!(!request.headers.contains_key("authorization"));
        assert_eq!(
            request.headers.get_all("cookie").iter().collect::<Vec<_>>(),
            ["a=b; c=d"]
        );
        let mut request = self::request("/a?access_token=abc", &[("cookie", "token=abc")]);
        everywhere().settle(&mut request);
        assert_eq!((request.target.as_str(), request.headers.len()), ("/a", 0));
    }
}
