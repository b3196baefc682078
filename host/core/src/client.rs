//! Who sent a request, as far as the gateway knows.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::ClientCertificate;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAddress {
    /// A TCP peer.
    Tcp(SocketAddr),
    /// A peer on a Unix domain socket; it has no address.
    Unix,
}

/// The address of a client, in its canonical form: an IPv4 client is one whatever socket it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIp {
    /// It is known.
    Known(IpAddr),
    /// The client came over a Unix domain socket, where there are no addresses.
    Unix,
    /// A trusted proxy passed the request on and did not say for whom in a way that can be read. No list of addresses
    /// contains it, and whatever refuses addresses refuses it.
    Unknown,
}

impl ClientIp {
    /// The address, if it is known.
    pub const fn known(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Unix | Self::Unknown => None,
        }
    }
}

impl From<ClientAddress> for ClientIp {
    fn from(address: ClientAddress) -> Self {
        match address {
            ClientAddress::Tcp(address) => Self::Known(address.ip().to_canonical()),
            ClientAddress::Unix => Self::Unix,
        }
    }
}

impl fmt::Display for ClientIp {
    /// The address, `unix` or `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The connection's other end: a client or the nearest proxy.
    pub peer: ClientAddress,
    /// The client's address as far as trusted proxies tell it; the peer's where they tell none.
    pub address: ClientIp,
    /// How many leading bits of an IPv6 address stand for one client to limits by address.
    pub ipv6_prefix: u8,
    /// The request came over TLS to this gateway.
    pub tls: bool,
    /// Its version of TLS, as `TLSv1.3`.
    pub tls_version: Option<&'static str>,
    /// The other end is a trusted proxy.
    pub trusted: bool,
    /// The certificate by which the connection's other end has proved who it is.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Client {
    /// What limits by address take for one client: an IPv4 address, the network of an IPv6 address, `unix`, or `unknown`
    /// for all whose address cannot be read. A client that has one IPv6 address mostly has 2^64 of them.
    pub fn counted_as(&self) -> String {
        match self.address {
            ClientIp::Known(IpAddr::V6(address)) if self.ipv6_prefix < 128 => {
                let kept = u128::MAX.checked_shl(128 - u32::from(self.ipv6_prefix)).unwrap_or(0);
                let network = Ipv6Addr::from_bits(address.to_bits() & kept);
                format!("{network}/{}", self.ipv6_prefix)
            }
            address => address.to_string(),
        }
    }
}

impl fmt::Display for Client {
    /// The client's address, `unix` or `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(address: ClientIp, ipv6_prefix: u8) -> String {
        let client = Client {
            peer: ClientAddress::Unix,
            address,
            ipv6_prefix,
            tls: false,
            tls_version: None,
            trusted: false,
            certificate: None,
        };
        client.counted_as()
    }

    #[test]
    fn limits_take_an_ipv6_client_by_its_network_and_an_ipv4_client_by_its_address() {
        let of = |text: &str, prefix| counted(ClientIp::Known(text.parse().unwrap()), prefix);
        assert_eq!(of("2001:db8:0:1:aaaa::1", 64), "2001:db8:0:1::/64");
        assert_eq!(of("2001:db8:0:1:aaaa::1", 64), of("2001:db8:0:1:bbbb::2", 64));
        assert_ne!(of("2001:db8:0:1::1", 64), of("2001:db8:0:2::1", 64));
        assert_eq!(of("2001:db8:0:1::1", 48), "2001:db8::/48");
        assert_eq!(of("2001:db8::1", 128), "2001:db8::1");
        assert_eq!(of("2001:db8::1", 0), "::/0");
        assert_eq!(of("192.0.2.7", 64), "192.0.2.7");
    }

    #[test]
    fn clients_whose_address_is_unknown_are_counted_as_one() {
        assert_eq!(counted(ClientIp::Unknown, 64), "unknown");
        assert_eq!(counted(ClientIp::Unix, 64), "unix");
    }

    #[test]
    fn an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client() {
        let mapped = ClientAddress::Tcp("[::ffff:192.0.2.7]:1".parse().unwrap());
        assert_eq!(ClientIp::from(mapped).to_string(), "192.0.2.7");
    }
}
