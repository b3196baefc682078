//! What every hook of one exchange is told about it.

use std::time::Duration;

use super::Value;

/// One request on its way through the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The same in every hook of the exchange, and unique while it lives.
    pub id: u64,
    /// W3C `traceparent`; none when tracing is off.
    pub trace_parent: Option<String>,
    /// Name of the route in the configuration.
    pub route: String,
    /// When the request was received: milliseconds since 1970-01-01T00:00:00Z.
    pub received_unix_ms: u64,
    /// Wall-clock time left for this call.
    pub budget: Duration,
    /// 1 for the first attempt.
    pub attempt: u8,
    /// The client.
    pub peer: Peer,
    /// Every attribute set so far, with its namespace: `auth.principal`, `path.id`.
    pub attributes: Vec<(String, Value)>,
}

impl Exchange {
    /// The value of an attribute: `exchange.attribute("path.id")`.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

/// Who is at the other end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The IP address as text.
    pub address: String,
    /// The port; 0 when only a forwarding header named the client.
    pub port: u16,
    /// Whether the client's connection is TLS.
    pub tls: bool,
    /// The client's verified certificate, if the plugin asked for it and there is one.
    pub certificate: Option<ClientCertificate>,
}

/// The verified certificate a client presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// RFC 4514 text: `CN=client,O=Example`.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// Fingerprint of the DER form: 32 bytes.
    pub sha256: Vec<u8>,
    /// End of validity, seconds since 1970-01-01T00:00:00Z.
    pub not_after_unix: u64,
    /// Subject alternative names of type DNS.
    pub dns_names: Vec<String>,
}
