//! Who the client is behind trusted proxies, and what is told of it to the upstream.
//!
//! `X-Forwarded-*` and `Forwarded` are believed only when the connection's other end is a trusted proxy; from anybody
//! else they are replaced. A connection's own values are made once.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_core::{Client, ClientAddress, ClientCertificate, Request};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::fields::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

/// What a connection says of its other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end.
    pub client: Client,
    address: Option<HeaderValue>,
    scheme: HeaderValue,
}

impl Peer {
    /// The other end of a connection.
    pub fn new(
        address: ClientAddress,
        tls: bool,
        certificate: Option<Arc<ClientCertificate>>,
        trusted_proxies: &[IpNet],
    ) -> Self {
        let ip = match address {
            // An IPv4 client of a dual-stack listener is the same client.
            ClientAddress::Tcp(address) => Some(address.ip().to_canonical()),
            ClientAddress::Unix => None,
        };
        Self {
            client: Client {
                peer: address,
                address: ip,
                tls,
                trusted: ip.is_some_and(|ip| is_trusted(ip, trusted_proxies)),
                certificate,
            },
            address: ip.and_then(|ip| HeaderValue::try_from(ip.to_string()).ok()),
            scheme: HeaderValue::from_static(if tls { "https" } else { "http" }),
        }
    }

    /// Settles who the client is, and rewrites the request's forwarding fields for the upstream.
    pub fn settle(&self, request: &mut Request, trusted_proxies: &[IpNet]) -> Client {
        let mut client = self.client.clone();
        if self.client.trusted {
            client.address = client_behind(&request.headers, trusted_proxies).or(client.address);
            request.secure = is_secure(&request.headers).unwrap_or(request.secure);
            self.extend(request);
        } else {
            self.replace(request);
        }
        client
    }

    /// Adds this hop to what a trusted proxy said.
    fn extend(&self, request: &mut Request) {
        let headers = &mut request.headers;
        if let Some(address) = &self.address {
            if headers.contains_key(header::FORWARDED) {
                let hop = match self.client.address {
                    Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
                    _ => format!("for={}", self.client),
                };
                let forwarded = join(headers, &header::FORWARDED, hop.as_bytes());
                headers.insert(
                    header::FORWARDED,
                    forwarded.unwrap_or_else(|| HeaderValue::from_static("for=unknown")),
                );
            }
            let forwarded = join(headers, &X_FORWARDED_FOR, address.as_bytes());
            headers.insert(X_FORWARDED_FOR, forwarded.unwrap_or_else(|| address.clone()));
        }
        headers.entry(X_FORWARDED_PROTO).or_insert_with(|| self.scheme.clone());
        headers
            .entry(X_FORWARDED_HOST)
            .or_insert_with(|| request.authority.clone());
    }

    /// Says who the client is, whatever it said itself.
    fn replace(&self, request: &mut Request) {
        let headers = &mut request.headers;
        // Also those that the gateway does not set: frameworks build links and decide on `-Port`, `-Prefix`, `-Ssl`.
        let forged: Vec<HeaderName> = headers.keys().filter(|name| is_forwarding(name)).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
        if let Some(address) = &self.address {
            headers.insert(X_FORWARDED_FOR, address.clone());
        }
        headers.insert(X_FORWARDED_PROTO, self.scheme.clone());
        headers.insert(X_FORWARDED_HOST, request.authority.clone());
    }
}

fn is_forwarding(name: &HeaderName) -> bool {
    *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-")
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// All fields of that name and this hop as one.
fn join(headers: &HeaderMap, name: &HeaderName, hop: &[u8]) -> Option<HeaderValue> {
    let mut list = Vec::new();
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(hop);
    HeaderValue::from_bytes(&list).ok()
}

/// The nearest address that is not a trusted proxy's, by `X-Forwarded-For` or, where that is absent, by `Forwarded`
/// (RFC 7239). What cannot be read ends the search: nothing behind it can be believed.
fn client_behind(headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let list = |name: &HeaderName| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
    };
    let mut nearest = None;
    let listed: Vec<&str> = list(&X_FORWARDED_FOR).flat_map(|value| value.split(',')).collect();
    let hops: Vec<Option<IpAddr>> = if listed.is_empty() {
        list(&header::FORWARDED)
            .flat_map(|value| value.split(','))
            .map(forwarded_for)
            .collect()
    } else {
        listed.into_iter().map(|hop| hop.trim().parse().ok()).collect()
    };
    for address in hops.into_iter().rev().map_while(|hop| hop) {
        nearest = Some(address.to_canonical());
        if !is_trusted(address.to_canonical(), trusted_proxies) {
            break;
        }
    }
    nearest
}

/// The address that an element of `Forwarded` names: `for=192.0.2.7`, `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs
        .into_iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim().trim_matches('"');
    match node.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?.parse().ok(),
        None => node.split(':').next()?.parse().ok(),
    }
}

/// What a trusted proxy says of the client's scheme.
fn is_secure(headers: &HeaderMap) -> Option<bool> {
    let scheme = headers.get(X_FORWARDED_PROTO)?.as_bytes();
    Some(scheme.eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Version, uri::PathAndQuery};

    fn settle(peer: &str, fields: &[(&'static str, &'static str)]) -> (Client, HeaderMap) {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let mut request = Request {
            method: Method::GET,
            secure: false,
            authority: HeaderValue::from_static("api.example.com"),
            host: "api.example.com".to_owned(),
            target: PathAndQuery::from_static("/"),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
        };
        for (name, value) in fields {
            request.headers.append(*name, HeaderValue::from_static(value));
        }
        let address = ClientAddress::Tcp(format!("{peer}:5000").parse().unwrap());
        let client = Peer::new(address, false, None, &trusted).settle(&mut request, &trusted);
        (client, request.headers)
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let (client, headers) = settle(
            "192.0.2.7",
            &[
                ("x-forwarded-for", "203.0.113.9"),
                ("forwarded", "for=203.0.113.9"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-prefix", "/admin"),
            ],
        );
        assert_eq!(client.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert!(!headers.contains_key("forwarded"));
        assert!(!headers.contains_key("x-forwarded-prefix"));
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        let (client, headers) = settle(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "198.51.100.1, 203.0.113.9"),
                ("x-forwarded-for", "10.0.0.2"),
            ],
        );
        assert_eq!(client.address, Some("203.0.113.9".parse().unwrap()));
        assert_eq!(
            headers["x-forwarded-for"],
            "198.51.100.1, 203.0.113.9, 10.0.0.2, 10.0.0.1"
        );
    }

    #[test]
    fn the_standard_field_is_read_where_the_usual_one_is_absent() {
        let forwarded = "for=198.51.100.1;proto=https, For=\"[2001:db8::9]:4711\", for=10.0.0.2:80";
        let (client, headers) = settle("10.0.0.1", &[("forwarded", forwarded)]);
        assert_eq!(client.address, Some("2001:db8::9".parse().unwrap()));
        assert_eq!(headers["forwarded"], format!("{forwarded}, for=10.0.0.1"));
    }

    #[test]
    fn what_cannot_be_read_ends_the_search() {
        let (client, _) = settle("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, unknown, 10.0.0.2")]);
        assert_eq!(client.address, Some("10.0.0.2".parse().unwrap()));
    }
}
