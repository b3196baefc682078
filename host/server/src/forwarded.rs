//! Who sent a request, and by which scheme, host and port: settled once, and what is told of it to the upstream.
//!
//! `X-Forwarded-*` and `Forwarded` are believed only when the connection's other end is a trusted proxy; from anybody
//! else they are replaced. [`way`] reads them, one [`hop`] at a time. Everything later in the gateway, and everybody
//! behind it, is told what has been settled here.

mod hop;
#[cfg(test)]
mod tests;
mod way;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_config::{ForwardingField, ListenerConfig};
use gatewright_core::{Client, ClientAddress, ClientCertificate, ClientIp, Problem, ProblemKind, Request};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use self::way::{Said, Way};
use crate::fields::{
    X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_FORWARDED_SCHEME, X_FORWARDED_SSL,
    X_REAL_IP, is_forwarding,
};
use crate::router::host::parse_authority;

/// Whom a listener believes, and what.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    networks: Vec<IpNet>,
    unix: bool,
    fields: Vec<ForwardingField>,
}

impl Trust {
    /// What the configuration says.
    pub fn new(config: &ListenerConfig) -> Self {
        Self {
            networks: config.trusted_proxies.networks.clone(),
            unix: config.trusted_proxies.unix,
            fields: config.trusted_fields.clone(),
        }
    }

    /// Whether it is the address of a trusted proxy.
    fn has(&self, address: ClientIp) -> bool {
        match address {
            ClientIp::Known(address) => self.networks.iter().any(|network| network.contains(&address)),
            ClientIp::Unix => self.unix,
            ClientIp::Unknown => false,
        }
    }

    fn believes(&self, name: &HeaderName) -> bool {
        let field = match name.as_str() {
            "forwarded" => ForwardingField::Forwarded,
            "x-forwarded-for" => ForwardingField::XForwardedFor,
            "x-forwarded-host" => ForwardingField::XForwardedHost,
            "x-forwarded-port" => ForwardingField::XForwardedPort,
            // By whatever name.
            "x-forwarded-proto" | "x-forwarded-scheme" | "x-forwarded-ssl" => ForwardingField::XForwardedProto,
            _ => return false,
        };
        self.fields.contains(&field)
    }
}

/// What a connection says of its other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end.
    pub client: Client,
    /// Its address, where it has one.
    address: Option<HeaderValue>,
}

impl Peer {
    /// The other end of a connection, which speaks this version of TLS, if any.
    pub fn new(
        address: ClientAddress,
        tls: Option<&'static str>,
        certificate: Option<Arc<ClientCertificate>>,
        ipv6_prefix: u8,
    ) -> Self {
        let ip = ClientIp::from(address);
        Self {
            client: Client {
                peer: address,
                address: ip,
                ipv6_prefix,
                tls: tls.is_some(),
                tls_version: tls,
                trusted: false,
                certificate,
            },
            address: ip.known().and_then(as_value),
        }
    }

    /// Settles who the client is and what it asked for, and rewrites the request's forwarding fields for the upstream.
    /// `client` is this peer, and becomes the client.
    ///
    /// # Errors
    /// When a trusted proxy names a host or port that is none.
    pub fn settle(&self, client: &mut Client, request: &mut Request, trust: &Trust) -> Result<(), Problem> {
        client.trusted = trust.has(client.address);
        if client.trusted && request.headers.keys().any(is_forwarding) {
            let way = Way::read(&request.headers, trust);
            client.address = way.client.unwrap_or(client.address);
            request.secure = way.secure.unwrap_or(request.secure);
            settle_authority(request, &way)?;
            self.extend(client, &way, request, trust);
        } else {
            self.replace(request);
        }
        Ok(())
    }

    /// Adds this hop to what a trusted proxy said, and says for the rest what has been settled.
    fn extend(&self, client: &Client, way: &Way, request: &mut Request, trust: &Trust) {
        let has = |name| request.headers.contains_key(name);
        let came = [
            header::FORWARDED,
            X_FORWARDED_PORT,
            X_FORWARDED_SCHEME,
            X_FORWARDED_SSL,
            X_REAL_IP,
        ]
        .map(has);
        let [forwarded, port, scheme, ssl, real_ip] = came;
        let agrees = trust.believes(&X_FORWARDED_FOR) && has(X_FORWARDED_FOR) && client.address != ClientIp::Unknown;
        // As it came where it is what has been settled: a proxy behind may trust more of those in it.
        let addresses = match agrees {
            true => joined(&request.headers, &X_FORWARDED_FOR, self.address.as_ref()),
            false => self.addresses(way),
        };
        let elements = forwarded.then(|| self.elements(way, request));
        let said = [
            (X_FORWARDED_FOR, addresses),
            (
                header::FORWARDED,
                elements.and_then(|elements| HeaderValue::try_from(elements).ok()),
            ),
            (X_FORWARDED_PORT, port.then(|| settled_port(request).into())),
            (
                X_FORWARDED_SCHEME,
                scheme.then(|| HeaderValue::from_static(request.scheme())),
            ),
            (
                X_FORWARDED_SSL,
                ssl.then(|| HeaderValue::from_static(if request.secure { "on" } else { "off" })),
            ),
            (
                X_REAL_IP,
                real_ip.then(|| client.address.known()).flatten().and_then(as_value),
            ),
        ];
        for (name, value) in said {
            match value {
                Some(value) => request.headers.insert(name, value),
                None => request.headers.remove(name),
            };
        }
        tell_origin(request);
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
        tell_origin(request);
    }

    /// The way as it has been settled, for `X-Forwarded-For`: the client first, this connection's other end last.
    fn addresses(&self, way: &Way) -> Option<HeaderValue> {
        let hops = self.hops(way).filter(|hop| *hop != ClientIp::Unix);
        let hops: Vec<String> = hops.map(|hop| hop.to_string()).collect();
        HeaderValue::try_from(hops.join(", "))
            .ok()
            .filter(|hops| !hops.is_empty())
    }

    /// The same for `Forwarded`.
    fn elements(&self, way: &Way, request: &Request) -> String {
        let mut elements = String::new();
        for hop in self.hops(way) {
            let first = elements.is_empty();
            let separator = if first { "" } else { ", " };
            // Writing to a text cannot fail.
            let _ = match hop {
                ClientIp::Known(IpAddr::V6(address)) => write!(elements, "{separator}for=\"[{address}]\""),
                ClientIp::Known(address) => write!(elements, "{separator}for={address}"),
                ClientIp::Unix | ClientIp::Unknown => write!(elements, "{separator}for=unknown"),
            };
            if first {
                let authority = String::from_utf8_lossy(request.authority.as_bytes());
                let _ = write!(elements, ";host=\"{authority}\";proto={}", request.scheme());
            }
        }
        elements
    }

    /// The client, the proxies after it, and this connection's other end.
    fn hops<'w>(&self, way: &'w Way) -> impl Iterator<Item = ClientIp> + 'w {
        let peer = ClientIp::from(self.client.peer);
        let proxies = way.proxies.iter().rev().map(|address| ClientIp::Known(*address));
        // A peer on a Unix socket is worth a word only where nobody else is.
        let last = (peer != ClientIp::Unix || way.client.is_none()).then_some(peer);
        way.client.into_iter().chain(proxies).chain(last)
    }
}

/// The authority that the client asked for, as a trusted proxy says; as sent where it says nothing.
fn settle_authority(request: &mut Request, way: &Way) -> Result<(), Problem> {
    let refused = |name: &HeaderName, cause: &str| {
        Problem::new(ProblemKind::BadRequest)
            .with_detail(format!("Bad Request: {name}: {cause}"))
            .closing()
    };
    match &way.host {
        Some(Said::One(host)) => {
            let authority = parse_authority(host.as_bytes());
            let authority = authority.map_err(|error| refused(&X_FORWARDED_HOST, &error.to_string()))?;
            request.host = authority.host.into_owned();
            request.authority = HeaderValue::try_from(host).map_err(|_| refused(&X_FORWARDED_HOST, "it is no host"))?;
        }
        Some(Said::Contradiction) => return Err(refused(&X_FORWARDED_HOST, "Forwarded names another host")),
        None => {}
    }
    let Some(port) = &way.port else { return Ok(()) };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let said: Option<u16> = port.parse().ok().filter(|port| is_number && *port != 0);
    let said = said.ok_or_else(|| refused(&X_FORWARDED_PORT, "it is no port"))?;
    if said != settled_port(request) {
        let authority = match said == usual_port(request) {
            true => request.host.clone(),
            false => format!("{}:{said}", request.host),
        };
        request.authority =
            HeaderValue::try_from(authority).map_err(|_| refused(&X_FORWARDED_PORT, "it is no port"))?;
    }
    Ok(())
}

/// The port that the client asked for.
fn settled_port(request: &Request) -> u16 {
    let port = parse_authority(request.authority.as_bytes())
        .ok()
        .and_then(|authority| authority.port);
    port.unwrap_or_else(|| usual_port(request))
}

const fn usual_port(request: &Request) -> u16 {
    if request.secure { 443 } else { 80 }
}

/// Tells the upstream what the client asked for.
fn tell_origin(request: &mut Request) {
    let scheme = HeaderValue::from_static(request.scheme());
    request.headers.insert(X_FORWARDED_PROTO, scheme);
    request.headers.insert(X_FORWARDED_HOST, request.authority.clone());
}

fn as_value(address: IpAddr) -> Option<HeaderValue> {
    HeaderValue::try_from(address.to_string()).ok()
}

/// All fields of that name and this hop as one.
fn joined(headers: &HeaderMap, name: &HeaderName, hop: Option<&HeaderValue>) -> Option<HeaderValue> {
    let values = headers.get_all(name).iter().chain(hop);
    let list: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&list.join(&b", "[..])).ok()
}
