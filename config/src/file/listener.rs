//! `[listener.NAME]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Located, Timeout};
use crate::units::ByteSize;

/// Where clients connect.
///
/// ```toml
/// [listener.public]
/// address = "0.0.0.0:8443"
/// tls = { certificate = "tls.crt", key = "tls.key" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["address"]))]
pub struct Listener {
    /// Where it listens: `"0.0.0.0:8080"`, `"[::]:8080"` or `"unix:/run/gatewright.sock"`. Required.
    #[schemars(required)]
    pub address: Option<Located<String>>,
    /// Who may connect to a Unix socket: the permissions of its file, such as `"0660"`. Default: what the process's umask
    /// leaves.
    pub mode: Option<Located<String>>,
    /// TLS; cleartext when absent.
    pub tls: Option<Located<Tls>>,
    /// Protocols that are spoken. Default `["http/1.1", "h2"]`.
    pub protocols: Located<Vec<Protocol>>,
    /// Addresses and networks of proxies that are believed when they say where a request comes from, and `"unix"` for those
    /// that connect to a Unix socket. Default `[]`.
    pub trusted_proxies: Vec<Located<String>>,
    /// Fields by which they say it. Default: all five,
    /// `["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"]`.
    pub trusted_fields: Vec<ForwardingField>,
    /// What becomes of a header field whose name has an underscore: the request is refused with `"refuse"` (400, default), the
    /// field taken away with `"drop"`, and passed on with `"accept"`.
    pub underscores: Underscores,
    /// What one client may cost.
    pub limits: Limits,
}

/// What becomes of header fields whose name has an underscore, which many servers take for a hyphen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Underscores {
    /// The request is refused (400).
    #[default]
    Refuse,
    /// The field is taken away.
    Drop,
    /// The field is passed on.
    Accept,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: None,
            mode: None,
            tls: None,
            protocols: vec![Protocol::Http1, Protocol::Http2].into(),
            trusted_proxies: Vec::new(),
            trusted_fields: ForwardingField::ALL.to_vec(),
            underscores: Underscores::default(),
            limits: Limits::default(),
        }
    }
}

/// A field by which a proxy says where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForwardingField {
    /// `Forwarded` (RFC 7239): address, scheme and host.
    Forwarded,
    /// `X-Forwarded-For`: addresses.
    #[serde(rename = "x-forwarded-for")]
    XForwardedFor,
    /// `X-Forwarded-Host`
    #[serde(rename = "x-forwarded-host")]
    XForwardedHost,
    /// `X-Forwarded-Port`
    #[serde(rename = "x-forwarded-port")]
    XForwardedPort,
    /// `X-Forwarded-Proto`: the scheme; `X-Forwarded-Scheme` and `X-Forwarded-Ssl` are read where it is absent.
    #[serde(rename = "x-forwarded-proto")]
    XForwardedProto,
}

impl ForwardingField {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Forwarded,
        Self::XForwardedFor,
        Self::XForwardedHost,
        Self::XForwardedPort,
        Self::XForwardedProto,
    ];
}

/// `tls` of a listener.
///
/// ```toml
/// tls = { certificate = "tls.crt", key = "tls.key", min_version = "1.3" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["certificate", "key"]))]
pub struct Tls {
    /// PEM file of the certificate chain, leaf first. Required.
    #[schemars(required)]
    pub certificate: Option<Located<String>>,
    /// PEM file of the private key. Required.
    #[schemars(required)]
    pub key: Option<Located<String>>,
    /// The oldest version that is accepted. Default `"1.2"`.
    pub min_version: TlsVersion,
    /// Sessions may be resumed. Default `true`.
    pub resumption: bool,
    /// Whether clients are asked for a certificate: `"off"` (default), `"optional"` or `"required"`.
    pub client_auth: Located<ClientAuth>,
    /// PEM file of the authorities whose certificates clients may have.
    pub client_ca: Option<Located<String>>,
    /// PEM file of the lists of what these authorities have revoked.
    pub client_crl: Option<Located<String>>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            min_version: TlsVersion::Tls12,
            resumption: true,
            client_auth: Located::default(),
            client_ca: None,
            client_crl: None,
        }
    }
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not.
    #[default]
    Off,
    /// They are; one that has none is let in all the same.
    Optional,
    /// They must have one.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3
    #[serde(rename = "1.3")]
    Tls13,
}

/// A protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Protocol {
    /// HTTP/1.1
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2: by ALPN with TLS, by prior knowledge without.
    #[serde(rename = "h2")]
    Http2,
}

/// `limits` of a listener: what one client may cost.
///
/// ```toml
/// limits = { connections = 50000, body = "1MiB", idle_timeout = "30s" }
/// ```
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections; more wait in the kernel's backlog. Default 10000.
    pub connections: Count,
    /// Header fields of a request (431 above). Default 100.
    pub header_count: Count,
    /// Bytes of request line and header section (431 above). Default `"32KiB"`.
    pub header_bytes: ByteSize,
    /// Bytes of the request target (414 above). Default `"8KiB"`.
    pub uri_bytes: ByteSize,
    /// Bytes of a request body (413 above), unless the route says otherwise. Default `"10MiB"`.
    pub body: ByteSize,
    /// HTTP/2 streams open at once on a connection. Default 128.
    pub streams: Count,
    /// TLS handshake, from accept. Default `"10s"`.
    pub handshake_timeout: Timeout,
    /// From a request's first byte to the end of its header section. Default `"10s"`.
    pub header_timeout: Timeout,
    /// Between two requests of a connection, and before the first. Default `"75s"`.
    pub idle_timeout: Timeout,
    /// The longest pause while a client sends a body or takes a response. Default `"30s"`.
    pub body_timeout: Timeout,
    /// Bytes a second that a client sends of a body at least, over all the time in which the gateway waits for it, but for a
    /// first minute (408 below). `"0B"`: as slowly as it likes. Default `"240B"`.
    pub body_rate: ByteSize,
    /// How many leading bits of an IPv6 address make one client of limits by address, at most 128. Default 64.
    #[schemars(range(max = 128))]
    pub ipv6_prefix: Located<u8>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: Count(10_000),
            header_count: Count(100),
            header_bytes: ByteSize(32 << 10),
            uri_bytes: ByteSize(8 << 10),
            body: ByteSize(10 << 20),
            streams: Count(128),
            handshake_timeout: Timeout::seconds(10),
            header_timeout: Timeout::seconds(10),
            idle_timeout: Timeout::seconds(75),
            body_timeout: Timeout::seconds(30),
            body_rate: ByteSize(240),
            ipv6_prefix: 64.into(),
        }
    }
}
