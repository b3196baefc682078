//! Who the client is behind trusted proxies, and what is told of it to the upstream.
//!
//! `X-Forwarded-*` and `Forwarded` are believed only when the connection's other end is a trusted proxy; from anybody
//! else they are replaced. A connection's own values are made once.

use std::net::IpAddr;

use gatewright_core::{Client, ClientAddress, Request};
use http::header::{self, HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::fields::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

/// What a connection says of its other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end.
    pub client: Client,
    /// It is a trusted proxy.
    trusted: bool,
    address: Option<HeaderValue>,
    scheme: HeaderValue,
}

impl Peer {
    /// The other end of a connection.
    pub fn new(address: ClientAddress, tls: bool, trusted_proxies: &[IpNet]) -> Self {
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
            },
            trusted: ip.is_some_and(|ip| is_trusted(ip, trusted_proxies)),
            address: ip.and_then(|ip| HeaderValue::try_from(ip.to_string()).ok()),
            scheme: HeaderValue::from_static(if tls { "https" } else { "http" }),
        }
    }

    /// Settles who the client is, and rewrites the request's forwarding fields for the upstream.
    pub fn settle(&self, request: &mut Request, trusted_proxies: &[IpNet]) -> Client {
        let mut client = self.client.clone();
        if self.trusted {
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
            let forwarded = join(headers, address);
            headers.insert(X_FORWARDED_FOR, forwarded);
        }
        headers.entry(X_FORWARDED_PROTO).or_insert_with(|| self.scheme.clone());
        headers
            .entry(X_FORWARDED_HOST)
            .or_insert_with(|| request.authority.clone());
    }

    /// Says who the client is, whatever it said itself.
    fn replace(&self, request: &mut Request) {
        let headers = &mut request.headers;
        headers.remove(header::FORWARDED);
        match &self.address {
            Some(address) => headers.insert(X_FORWARDED_FOR, address.clone()),
            None => headers.remove(X_FORWARDED_FOR),
        };
        headers.insert(X_FORWARDED_PROTO, self.scheme.clone());
        headers.insert(X_FORWARDED_HOST, request.authority.clone());
    }
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// All `X-Forwarded-For` fields and this hop's address as one.
fn join(headers: &HeaderMap, address: &HeaderValue) -> HeaderValue {
    let mut list = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(address.as_bytes());
    HeaderValue::from_bytes(&list).unwrap_or_else(|_| address.clone())
}

/// The nearest address that is not a trusted proxy's. What cannot be read ends the search: nothing behind it can be
/// believed.
fn client_behind(headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let mut nearest = None;
    let values: Vec<&HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let hops = values
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops {
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = Some(address.to_canonical());
        if !is_trusted(address, trusted_proxies) {
            break;
        }
    }
    nearest
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
        let client = Peer::new(address, false, &trusted).settle(&mut request, &trusted);
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
            ],
        );
        assert_eq!(client.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert!(!headers.contains_key("forwarded"));
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
    fn what_cannot_be_read_ends_the_search() {
        let (client, _) = settle("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, unknown, 10.0.0.2")]);
        assert_eq!(client.address, Some("10.0.0.2".parse().unwrap()));
    }
}
