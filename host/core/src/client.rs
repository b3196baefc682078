//! Who sent a request, as far as the gateway knows.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
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

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The connection's other end: a client or the nearest proxy.
    pub peer: ClientAddress,
    /// The client's address as far as trusted proxies tell it; the peer's where there is none. None on a Unix
    /// socket without a trusted proxy's word.
    pub address: Option<IpAddr>,
    /// The request came over TLS to this gateway.
    pub tls: bool,
    /// The other end is a trusted proxy.
    pub trusted: bool,
    /// The certificate by which the connection's other end has proved who it is.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl fmt::Display for Client {
    /// The client's address, or `unix`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}
