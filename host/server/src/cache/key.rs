//! What tells requests apart: the key under which responses are kept.
//!
//! A key is what the request asks for, written down whole: no two requests that differ in it share a response, because keys
//! are compared and not only their hashes. Its parts have their lengths in front, so that no part can pass for
//! another.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use gatewright_config::{CacheBy, CacheKeyPart};
use gatewright_core::Exchange;
use http::HeaderName;
use http::header::{self, HeaderMap};
use percent_encoding::percent_decode_str;

use super::asked::Asks;
use crate::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_FORWARDED_SCHEME, X_FORWARDED_SSL,
    X_REAL_IP, is_forwarding,
};
use crate::token::key_set::sha256;

/// Fields by which upstreams are made to take a request for another one. What answers them is not kept, unless the field is
/// part of the key. `X-Forwarded-*` is not among them: what the gateway has not settled itself of it is part of every key.
const MISLEADING: [&str; 8] = [
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

/// Fields that say what the gateway has settled: authority and scheme are in every key, and the client's address is nobody's
/// to choose and everybody's own.
const SETTLED: [HeaderName; 8] = [
    header::FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    X_FORWARDED_PROTO,
    X_FORWARDED_SCHEME,
    X_FORWARDED_SSL,
    X_REAL_IP,
];

/// Random in each process, so that nobody can choose requests that fall together.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

thread_local! {
    /// Keys are looked up far more often than kept, and need no memory of their own for that.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes the keys of one route's cache.
pub(super) struct Keys {
    route: Arc<str>,
    parts: Option<Vec<Part>>,
    by: CacheBy,
    /// Of what the key is made of: a configuration that makes it otherwise finds nothing of the one before.
    kind: [u8; 8],
}

enum Part {
    Query(String),
    Header(HeaderName),
    Path(String),
    Attribute(String),
}

/// The key of a request, and its hash.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// The key.
    pub(super) bytes: Arc<[u8]>,
    /// Of the key.
    pub(super) hash: u64,
    /// Of what is asked for by whatever key: authority and path.
    pub(super) resource: u64,
}

/// What a key says of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'k> {
    /// The route's name.
    pub(super) route: &'k [u8],
    /// The authority, in lower case.
    pub(super) authority: &'k [u8],
    /// The path.
    pub(super) path: &'k [u8],
    /// The query; none where only parts of it are in the key.
    pub(super) query: Option<&'k [u8]>,
}

impl Keys {
    /// The keys of a route.
    pub(super) fn new(route: &Arc<str>, parts: Option<&[CacheKeyPart]>, by: CacheBy) -> Self {
        let part = |part: &CacheKeyPart| {
            Some(match part {
                CacheKeyPart::Query(name) => Part::Query(name.clone()),
                // The configuration has checked the name.
                CacheKeyPart::Header(name) => Part::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
                CacheKeyPart::Path(name) => Part::Path(name.clone()),
                CacheKeyPart::Attribute(name) => Part::Attribute(name.clone()),
            })
        };
        Self {
            route: Arc::clone(route),
            parts: parts.map(|parts| parts.iter().filter_map(part).collect()),
            by,
            kind: hash(&[format!("{parts:?}{by:?}").as_bytes()]).to_le_bytes(),
        }
    }

    /// Does something with the key of a request and its hash.
    pub(super) fn with<T>(&self, exchange: &Exchange, asks: &Asks, look: impl FnOnce(&[u8], u64) -> T) -> T {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            self.write(exchange, asks, buffer);
            look(buffer, SEED.hash_one(buffer.as_slice()))
        })
    }

    /// The key of a request, to be kept.
    pub(super) fn key(&self, exchange: &Exchange, asks: &Asks) -> Key {
        self.with(exchange, asks, |bytes, hash| Key {
            bytes: bytes.into(),
            hash,
            resource: resource(exchange.request.authority.as_bytes(), exchange.request.path()),
        })
    }

    /// Whether a request has a field that may make the upstream answer another one, and no key tells so.
    pub(super) fn is_misleading(&self, headers: &HeaderMap) -> bool {
        let is_part = |name: &str| {
            let mut parts = self.parts.iter().flatten();
            parts.any(|part| matches!(part, Part::Header(header) if header == name))
        };
        MISLEADING
            .iter()
            .any(|name| headers.contains_key(*name) && !is_part(name))
    }

    fn write(&self, exchange: &Exchange, asks: &Asks, key: &mut Vec<u8>) {
        let request = &exchange.request;
        push(key, self.route.as_bytes());
        key.extend_from_slice(&self.kind);
        push(key, request.authority.as_bytes());
        let authority = key.len() - request.authority.len();
        key.get_mut(authority..).unwrap_or_default().make_ascii_lowercase();
        push(key, request.path().as_bytes());
        // Upstreams are told whether the client spoke TLS, and redirect accordingly.
        let scheme = u8::from(request.secure) << 1;
        match &self.parts {
            None => {
                key.push(scheme | 1);
                option(key, request.query().map(str::as_bytes));
            }
            Some(parts) => {
                key.push(scheme);
                parts.iter().for_each(|part| part.write(exchange, key));
            }
        }
        passed_on(key, &request.headers);
        if self.by == CacheBy::Principal {
            let headers = &request.headers;
            match exchange.principal() {
                Some(principal) => option(key, Some(principal.as_bytes())),
                None => {
                    option(key, None);
                    credentials(key, headers, &header::AUTHORIZATION, asks.authorization);
                    credentials(key, headers, &header::COOKIE, asks.cookie);
                }
            }
        }
    }
}

impl Part {
    fn write(&self, exchange: &Exchange, key: &mut Vec<u8>) {
        match self {
            Self::Query(name) => {
                let pairs = exchange.request.query().unwrap_or_default().split('&');
                let named = pairs.filter(|pair| has_name(pair, name));
                list(key, named.map(str::as_bytes));
            }
            Self::Header(name) => values(key, &exchange.request.headers, name, true),
            Self::Path(name) => option(key, exchange.parameters.get(name).map(str::as_bytes)),
            Self::Attribute(name) => {
                let value = exchange.attributes.get(name).map(|value| value.to_string());
                option(key, value.as_deref().map(str::as_bytes));
            }
        }
    }
}

impl<'k> Target<'k> {
    /// What a key says of it.
    pub(super) fn of(key: &'k [u8]) -> Option<Self> {
        let (route, rest) = pull(key)?;
        let (_kind, rest) = rest.split_first_chunk::<8>()?;
        let (authority, rest) = pull(rest)?;
        let (path, rest) = pull(rest)?;
        let (flags, rest) = rest.split_first()?;
        let query = match flags & 1 {
            0 => None,
            _ => match rest.split_first()? {
                (0, _) => Some(&[][..]),
                (_, rest) => Some(pull(rest)?.0),
            },
        };
        Some(Self {
            route,
            authority,
            path,
            query,
        })
    }
}

impl Target<'_> {
    /// The hash of what is asked for, by whatever key.
    pub(super) fn resource(&self) -> u64 {
        hash_resource(self.authority, self.path)
    }
}

/// Whether a pair of a query is a parameter of that name to any upstream: to one that decodes names, and to one that separates
/// pairs by semicolons too.
fn has_name(pair: &str, name: &str) -> bool {
    pair.split(';').any(|part| {
        let found = part.split('=').next().unwrap_or_default();
        found == name || found.contains(['%', '+']) && percent_decode_str(&found.replace('+', " ")).eq(name.bytes())
    })
}

/// The hash of what is asked for, by whatever key.
pub(super) fn resource(authority: &[u8], path: &str) -> u64 {
    hash_resource(&authority.to_ascii_lowercase(), path.as_bytes())
}

fn hash_resource(authority: &[u8], path: &[u8]) -> u64 {
    hash(&[authority, path])
}

/// A hash that is the same in every process: what is on disk is found by it. Cut SHA-256.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut whole = Vec::new();
    parts.iter().for_each(|part| push(&mut whole, part));
    sha256(&whole)
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

fn push(key: &mut Vec<u8>, part: &[u8]) {
    // No part is as long as that: limits on header sections are far below.
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    key.extend_from_slice(&length.to_le_bytes());
    key.extend_from_slice(part);
}

fn pull(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = key.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// What else proxies say of where a request comes from (`X-Forwarded-Prefix`, `-Server`, `-User`), and the upstream is
/// told. Digests of values: some are of persons.
fn passed_on(key: &mut Vec<u8>, headers: &HeaderMap) {
    let says_so = |name: &HeaderName| is_forwarding(name) && !SETTLED.contains(name);
    for (name, value) in headers {
        if says_so(name) || matches!(name.as_str(), "x-original-uri" | "x-scheme") {
            option(key, Some(name.as_str().as_bytes()));
            option(key, Some(&sha256(value.as_bytes())));
        }
    }
    option(key, None);
}

fn option(key: &mut Vec<u8>, part: Option<&[u8]>) {
    key.push(u8::from(part.is_some()));
    if let Some(part) = part {
        push(key, part);
    }
}

fn list<'p>(key: &mut Vec<u8>, parts: impl Iterator<Item = &'p [u8]>) {
    parts.for_each(|part| option(key, Some(part)));
    option(key, None);
}

fn values(key: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName, any: bool) {
    match any {
        true => list(key, headers.get_all(name).iter().map(|value| value.as_bytes())),
        false => option(key, None),
    }
}

/// Digests of values: keys are written to disk, and these open doors.
fn credentials(key: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName, any: bool) {
    match any {
        true => {
            let digests = headers.get_all(name).iter().map(|value| sha256(value.as_bytes()));
            digests.for_each(|digest| option(key, Some(&digest)));
            option(key, None);
        }
        false => option(key, None),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::uri::PathAndQuery;

    use super::*;
    use crate::cache::tests::{config, exchange};

    fn key(stage: &str, target: &'static str, change: impl FnOnce(&mut Exchange)) -> Key {
        let config = config(stage);
        let mut exchange = exchange();
        exchange.request.target = PathAndQuery::from_static(target);
        change(&mut exchange);
        let keys = Keys::new(&Arc::from("route"), config.key.as_deref(), config.by);
        keys.key(&exchange, &Asks::of(&exchange))
    }

    fn same(stage: &str, one: impl FnOnce(&mut Exchange), other: impl FnOnce(&mut Exchange)) -> bool {
        let (one, other) = (key(stage, "/a?b=c&d=e", one), key(stage, "/a?b=c&d=e", other));
        (one.bytes == other.bytes, one.hash == other.hash) == (true, true)
    }

    fn field(name: &'static str, value: &'static str) -> impl FnOnce(&mut Exchange) {
        move |exchange| {
            exchange.request.headers.append(name, HeaderValue::from_static(value));
        }
    }

    fn nothing(_: &mut Exchange) {}

    #[test]
    fn scheme_host_path_and_query_tell_requests_apart() {
        assert!(same("", nothing, nothing));
        assert!(!same("", nothing, |exchange| exchange.request.secure = true));
        assert!(!same("", nothing, |exchange| {
            exchange.request.authority = HeaderValue::from_static("other.test");
        }));
        assert!(same("", nothing, |exchange| {
            exchange.request.authority = HeaderValue::from_static("EXAMPLE.com");
        }));
        let keys = ["/a", "/a?", "/a?b", "/ab", "/a?b&c", "/a?bc"].map(|target| key("", target, nothing).bytes);
        for (index, one) in keys.iter().enumerate() {
            assert!(!keys.iter().skip(index + 1).any(|other| one == other), "{index}");
        }
    }

    #[test]
    fn with_a_key_only_its_parts_do() {
        let stage = "key = [\"query:b\", \"header:x-a\"]";
        let with = |target| key(stage, target, nothing).bytes;
        assert_eq!(with("/a?b=1&d=2"), with("/a?d=3&b=1"));
        assert_ne!(with("/a?b=1"), with("/a?b=2"));
        assert_ne!(with("/a?b=1"), with("/a?b=1&b=2"));
        assert_ne!(with("/a?b=1"), with("/a"));
        // However it is written, or some upstream reads it.
        for hidden in ["/a?%62=1", "/a?d=2;b=1", "/a?x;%62"] {
            assert_ne!(with(hidden), with("/a"), "{hidden}");
        }
        assert_ne!(with("/a?b=1;c=2"), with("/a?b=1;c=3"));
        assert!(!same(stage, nothing, field("x-a", "1")));
        assert!(!same(stage, field("x-a", "1"), field("x-a", "")));
        assert!(same(stage, nothing, field("x-b", "1")));
        let twice = |exchange: &mut Exchange| {
            field("x-a", "1")(exchange);
            field("x-a", "2")(exchange);
        };
        assert!(!same(stage, twice, field("x-a", "1, 2")));
    }

    #[test]
    fn another_configuration_has_other_keys() {
        let one = key("key = [\"header:x-a\"]", "/a", field("x-a", "1"));
        let other = key("key = [\"header:x-b\"]", "/a", field("x-b", "1"));
        assert_ne!(one.bytes, other.bytes);
    }

    #[test]
    fn principals_have_their_own_and_who_proves_nothing_is_who_it_says() {
        let named = |name: &'static str| move |exchange: &mut Exchange| exchange.authenticate("test", name);
        for stage in ["by = \"principal\"", "mode = \"aws\""] {
            assert!(!same(stage, named("a"), named("b")));
            assert!(!same(stage, named("a"), nothing));
            assert!(same(stage, named("a"), named("a")));
            assert!(!same(stage, field("authorization", "a"), field("authorization", "b")));
            assert!(!same(stage, field("cookie", "a"), nothing));
            assert!(!same(stage, field("cookie", "a"), field("authorization", "a")));
        }
        assert!(same("", named("a"), named("b")));
    }

    #[test]
    fn what_was_asked_for_can_be_read_from_a_key() {
        let whole = key("", "/a?b=c", nothing);
        let target = Target::of(&whole.bytes).unwrap();
        let (authority, query) = (&b"example.com"[..], Some(&b"b=c"[..]));
        assert_eq!(
            target,
            Target {
                route: b"route",
                authority,
                path: b"/a",
                query
            }
        );
        let parts = self::key("mode = \"aws\"", "/a?b=c", nothing);
        assert_eq!(Target::of(&parts.bytes).unwrap().query, None);
    }

    #[test]
    fn fields_that_mislead_upstreams_are_found_unless_the_key_has_them() {
        let keys = |stage: &str| {
            let config = config(stage);
            Keys::new(&Arc::from("route"), config.key.as_deref(), config.by)
        };
        let headers: HeaderMap = [(
            HeaderName::from_static("x-original-url"),
            HeaderValue::from_static("/b"),
        )]
        .into_iter()
        .collect();
        assert!(keys("").is_misleading(&headers));
        assert!(!keys("key = [\"header:x-original-url\"]").is_misleading(&headers));
        assert!(!keys("").is_misleading(&HeaderMap::new()));
    }
}
