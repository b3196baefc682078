//! `[upstream.NAME]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Located, Timeout};
use crate::units::ByteSize;

/// Where requests are sent.
///
/// ```toml
/// [upstream.users]
/// targets = [{ url = "http://10.0.0.1:9001" }, { url = "http://10.0.0.2:9001", weight = 2 }]
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["targets"]))]
pub struct Upstream {
    /// The servers that share the requests; at least one. Required.
    #[schemars(required, length(min = 1))]
    pub targets: Option<Located<Vec<Located<Target>>>>,
    /// TCP connect and TLS handshake. Default `"5s"`.
    pub connect_timeout: Timeout,
    /// From the end of the request to the response's header section (504 after). While a body is sent: how long the upstream
    /// may let a piece of it wait. Default `"29s"`.
    pub response_timeout: Timeout,
    /// The longest pause of a response's body (the response is cut). Default `"30s"`.
    pub body_timeout: Timeout,
    /// How long an unused connection is kept. Default `"60s"`.
    pub idle_timeout: Timeout,
    /// Unused connections kept per target and worker. Default 128.
    pub idle_connections: usize,
    /// Header bytes of a response (502 above). Default `"64KiB"`.
    pub header_bytes: ByteSize,
    /// Header fields of a response (502 above). Default 200.
    pub header_count: Count,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<Located<String>>,
    /// The name that `https` targets are asked for (SNI) and must have a certificate for. Default: the host of each one's URL.
    pub server_name: Option<Located<String>>,
    /// PEM file of the certificate chain that `https` targets get when they ask for one, leaf first.
    pub client_certificate: Option<Located<String>>,
    /// PEM file of its private key.
    pub client_key: Option<Located<String>>,
    /// Certificates of `https` targets are not verified at all: whoever is on the way can read and change everything. Default
    /// `false`.
    pub dangerous_accept_any_certificate: Located<bool>,
    /// When a target that fails is left out for a while.
    pub ejection: Ejection,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            targets: None,
            connect_timeout: Timeout::seconds(5),
            response_timeout: Timeout::seconds(29),
            body_timeout: Timeout::seconds(30),
            idle_timeout: Timeout::seconds(60),
            idle_connections: 128,
            header_bytes: ByteSize(64 << 10),
            header_count: Count(200),
            ca: None,
            server_name: None,
            client_certificate: None,
            client_key: None,
            dangerous_accept_any_certificate: false.into(),
            ejection: Ejection::default(),
        }
    }
}

/// When a target that fails is left out for a while. Never more than half of an upstream's targets are.
///
/// ```toml
/// ejection = { failures = 10, slow = "2s", time = "30s" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ejection {
    /// Failures in ten seconds that leave it out, if they are half of its responses or more. Zero: it never is. Default 5.
    pub failures: u32,
    /// A response whose header section takes longer is a failure. Default: none is, for that.
    pub slow: Option<Timeout>,
    /// How long it is left out, doubled each time that it fails again, up to five minutes. Default `"10s"`.
    pub time: Timeout,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            slow: None,
            time: Timeout::seconds(10),
        }
    }
}

/// One server of an upstream.
///
/// ```toml
/// { url = "https://users.internal:8443/base", weight = 2 }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct Target {
    /// `http://` or `https://`, host, optional port, optional path before every request's path. Required.
    #[schemars(required)]
    pub url: Option<Located<String>>,
    /// Share of the requests relative to the other targets. Default 1.
    pub weight: Count,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            url: None,
            weight: Count(1),
        }
    }
}
