//! What every hook of one exchange is told about it.

use std::time::Duration;

use super::Value;
use super::request::asked;
use crate::Fault;

/// One request on its way through the gateway. What is an option is none unless the plugin asked for it with
/// [`Info::parts`](crate::Info::parts).
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The same in every hook of the exchange, and unique while it lives.
    pub id: u64,
    /// W3C `traceparent`; none when tracing is off, too.
    pub trace_parent: Option<String>,
    /// Name of the route in the configuration.
    pub route: Option<String>,
    /// When the request was received: milliseconds since 1970-01-01T00:00:00Z.
    pub received_unix_ms: u64,
    /// Wall-clock time left for this call.
    pub budget: Duration,
    /// 1 for the first attempt.
    pub attempt: u8,
    /// The client.
    pub peer: Option<Peer>,
    /// Every attribute set so far, with its namespace: `auth.principal`.
    pub attributes: Option<Vec<(String, Value)>>,
}

impl Exchange {
    /// The value of an attribute, if it is set: `exchange.attribute("auth.principal")?`.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Attributes`](crate::Part::Attributes).
    pub fn attribute(&self, name: &str) -> Result<Option<&Value>, Fault> {
        let mut attributes = asked(self.attributes.as_ref(), "Attributes")?.iter().rev();
        Ok(attributes.find(|(known, _)| known == name).map(|(_, value)| value))
    }

    /// The client.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Peer`](crate::Part::Peer).
    pub fn peer(&self) -> Result<&Peer, Fault> {
        asked(self.peer.as_ref(), "Peer")
    }

    /// Name of the route in the configuration.
    ///
    /// # Errors
    /// When the plugin did not ask for [`Part::Route`](crate::Part::Route).
    pub fn route(&self) -> Result<&str, Fault> {
        asked(self.route.as_deref(), "Route")
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
    /// The client's verified certificate, if the plugin asked for it too and there is one.
    pub certificate: Option<ClientCertificate>,
}

/// The verified certificate a client presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// RFC 4514 text: `CN=client,O=Example`.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// The issuer's number for it, the most significant byte first.
    pub serial_number: Vec<u8>,
    /// Fingerprint of the DER form: 32 bytes.
    pub sha256: Vec<u8>,
    /// Begin of validity, seconds since 1970-01-01T00:00:00Z.
    pub not_before_unix: u64,
    /// End of validity, seconds since 1970-01-01T00:00:00Z.
    pub not_after_unix: u64,
    /// Subject alternative names of type DNS.
    pub dns_names: Vec<String>,
    /// Subject alternative names of type URI: `spiffe://example.com/orders`.
    pub uris: Vec<String>,
    /// The certificate itself, for whatever else is in it.
    pub der: Vec<u8>,
}
