//! A request's way through trusted proxies, read from its fields: who began it, and by which scheme, host and port.
//!
//! One rule for all of it: a proxy vouches for what it says of the hop before it, so fields are read from the last proxy
//! back to the nearest hop that is not a trusted proxy. That hop is the client. What stands further back, the client may
//! have written itself.

use std::borrow::Cow;
use std::net::IpAddr;

use gatewright_core::ClientIp;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Trust;
use super::hop::{self, Hop};
use crate::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_FORWARDED_SCHEME, X_FORWARDED_SSL,
};

/// What trusted proxies say of a request. None is what they do not say.
pub(super) struct Way {
    /// The client; none where no proxy names it: one that names nobody is the client itself.
    pub(super) client: Option<ClientIp>,
    /// The trusted proxies between the client and the connection's other end, the last one first.
    pub(super) proxies: Vec<IpAddr>,
    /// The client spoke TLS.
    pub(super) secure: Option<bool>,
    /// The authority that the client asked for.
    pub(super) host: Option<Said>,
    /// The port that it connected to.
    pub(super) port: Option<String>,
}

/// What is said of a host.
pub(super) enum Said {
    /// As it is written.
    One(String),
    /// Two fields contradict each other.
    Contradiction,
}

impl Way {
    /// What fields say that come from a trusted proxy.
    pub(super) fn read(headers: &HeaderMap, trust: &Trust) -> Self {
        let believed = |name: &HeaderName| trust.believes(name) && headers.contains_key(name);
        let standard = if believed(&header::FORWARDED) {
            hops(headers)
        } else {
            Vec::new()
        };
        let listed = |name: &HeaderName| {
            if believed(name) {
                items(headers, name)
            } else {
                Vec::new()
            }
        };
        let usual = listed(&X_FORWARDED_FOR);

        let by_usual = Client::nearest(usual.iter().map(|node| hop::address(node)), trust);
        // A `Forwarded` that names nobody leaves it to `X-Forwarded-For`, if that is there.
        let names_somebody = by_usual.is_none() || standard.iter().any(|hop| hop.node.is_some());
        let nodes = standard.iter().map(|hop| hop.node.as_deref().and_then(hop::address));
        let by_standard = Client::nearest(nodes, trust).filter(|_| names_somebody);
        let client = match (&by_usual, &by_standard) {
            (Some(one), Some(other)) if one.address != other.address => Some(ClientIp::Unknown),
            (Some(one), _) | (None, Some(one)) => Some(one.address),
            (None, None) => None,
        };
        // Where no proxy names a hop, only the one that is connected is known to be trusted: what it said stands last.
        let named = by_usual.as_ref().or(by_standard.as_ref());
        let depth = named.map_or(0, |client| client.depth);
        let standard_depth = by_standard.as_ref().map_or(depth, |client| client.depth);

        let scheme = at(&listed(&X_FORWARDED_PROTO), depth)
            .or(at(&listed(&X_FORWARDED_SCHEME), depth))
            .map(is_secure)
            .or_else(|| Some(at(&listed(&X_FORWARDED_SSL), depth)?.eq_ignore_ascii_case("on")));
        let standard_scheme = param(&standard, standard_depth, |hop| hop.proto.as_deref()).map(is_secure);
        let hosts = listed(&X_FORWARDED_HOST);
        let host = at(&hosts, depth).map(|host| &**host).filter(|host| !host.is_empty());
        let ports = listed(&X_FORWARDED_PORT);
        let port = at(&ports, depth).filter(|port| !port.is_empty());
        Self {
            client,
            proxies: by_usual.or(by_standard).map_or_else(Vec::new, |client| client.proxies),
            // Of two that contradict each other the one that promises less.
            secure: scheme.map_or(standard_scheme, |scheme| Some(scheme && standard_scheme != Some(false))),
            host: agreed(host, param(&standard, standard_depth, |hop| hop.host.as_deref())),
            port: port.map(|port| port.clone().into_owned()),
        }
    }
}

/// The client, by one of the fields that name hops.
struct Client {
    address: ClientIp,
    /// The proxies after it, the last one first.
    proxies: Vec<IpAddr>,
    /// Which element is about it, counted from the last one.
    depth: usize,
}

impl Client {
    /// The nearest hop that is not a trusted proxy; where all are, the furthest. One that cannot be read is no trusted
    /// proxy. None without any hop.
    fn nearest(hops: impl Iterator<Item = Option<IpAddr>>, trust: &Trust) -> Option<Self> {
        let mut proxies = Vec::new();
        for (depth, hop) in hops.enumerate() {
            let address = match hop {
                Some(address) if trust.has(ClientIp::Known(address)) => {
                    proxies.push(address);
                    continue;
                }
                Some(address) => ClientIp::Known(address),
                None => ClientIp::Unknown,
            };
            return Some(Self {
                address,
                proxies,
                depth,
            });
        }
        let furthest = proxies.pop()?;
        Some(Self {
            address: ClientIp::Known(furthest),
            depth: proxies.len(),
            proxies,
        })
    }
}

/// The elements of all `Forwarded` fields, the last one first. A field that cannot be read is a hop that cannot.
fn hops(headers: &HeaderMap) -> Vec<Hop<'_>> {
    let mut hops = Vec::new();
    for value in headers.get_all(header::FORWARDED).iter().rev() {
        match std::str::from_utf8(value.as_bytes()).ok().and_then(hop::elements) {
            Some(elements) => hops.extend(elements.into_iter().rev()),
            None => hops.push(Hop::unreadable()),
        }
    }
    hops
}

/// The elements of all fields of that name, the last one first.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<Cow<'h, str>> {
    let values = headers.get_all(name).iter().rev().map(HeaderValue::as_bytes);
    let items = values.flat_map(|value| value.rsplit(|byte| *byte == b','));
    items.map(|item| String::from_utf8_lossy(item.trim_ascii())).collect()
}

/// What a list says of the client: fewer elements than hops are from proxies that pass on what others have said.
fn at<T>(items: &[T], depth: usize) -> Option<&T> {
    items.get(depth).or(items.last())
}

/// The same of a parameter of `Forwarded`, which not every element has.
fn param<'f>(hops: &'f [Hop<'f>], depth: usize, of: impl Fn(&'f Hop<'f>) -> Option<&'f str>) -> Option<&'f str> {
    hops.iter().take(depth.saturating_add(1)).rev().find_map(of)
}

fn is_secure(scheme: impl AsRef<str>) -> bool {
    let scheme = scheme.as_ref();
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

fn agreed(one: Option<&str>, other: Option<&str>) -> Option<Said> {
    match (one, other) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => Some(Said::Contradiction),
        (one, other) => one.or(other).map(|said| Said::One(said.to_owned())),
    }
}
