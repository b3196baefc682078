//! `[plugin.NAME]`

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidate, Count, Delay, Located, Record, Timeout};
use crate::units::{ByteSize, Rate};

/// Limits of a plugin, always on, and grants, none by default.
///
/// ```toml
/// [plugin.tenant-authorizer]
/// time = "20ms"
/// instances = { reuse = 1000 }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plugin {
    /// Linear memory of one instance. Default `"16MiB"`.
    pub memory: ByteSize,
    /// Wall time of one call, waiting included. Default `"50ms"`.
    pub time: Timeout,
    /// Processor time of one call. Default `"50ms"`.
    pub cpu: Timeout,
    /// Bytes that one call may pass to the host. Default `"2MiB"`.
    pub host_call_bytes: ByteSize,
    /// Bytes of one result: body and headers of a response, or edits. Default `"1MiB"`.
    pub output_bytes: ByteSize,
    /// Bytes of log text of one call; more is dropped and counted. Default `"16KiB"`.
    pub log_bytes: ByteSize,
    /// Resource handles that one instance has at once: streams, pollables, fields of `wasi:http`. Default: one for each 256
    /// bytes of `memory`.
    pub handles: Option<Count>,
    /// Calls running at once; more wait. Default 64.
    pub concurrency: Count,
    /// How long a call may wait for a place (503 after). Default `"100ms"`.
    pub queue_timeout: Delay,
    /// `"fresh"` (default): a new instance for every call; `{ reuse = N }`: an instance serves at most N calls.
    pub instances: Instances,
    /// What it may use beyond log, clock and random numbers. Default: nothing.
    pub grants: Grants,
    /// Limits of its own requests to the origins that it is granted.
    pub http: HttpClient,
    /// Publishers under `[plugins]` of which one must have signed it. Default: any of them, where a signature is needed.
    pub publishers: Option<Vec<Located<String>>>,
    /// A new version on trial. Default: none, whatever files there are.
    pub candidate: Option<Candidate>,
    /// Which of its calls are written down, for `gatewright replay`. Default: none.
    pub record: Option<Record>,
}

impl Default for Plugin {
    fn default() -> Self {
        Self {
            memory: ByteSize(16 << 20),
            time: Timeout::milliseconds(50),
            cpu: Timeout::milliseconds(50),
            host_call_bytes: ByteSize(2 << 20),
            output_bytes: ByteSize(1 << 20),
            log_bytes: ByteSize(16 << 10),
            handles: None,
            concurrency: Count(64),
            queue_timeout: Delay(Timeout::milliseconds(100).0),
            instances: Instances::Fresh,
            grants: Grants::default(),
            http: HttpClient::default(),
            publishers: None,
            candidate: None,
            record: None,
        }
    }
}

/// Limits of a plugin's own requests.
///
/// ```toml
/// [plugin.tenant-authorizer.http]
/// requests = 2
/// response_bytes = "64KiB"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpClient {
    /// Requests of one call. Default 16.
    pub requests: Count,
    /// Those of them that are under way at once. Default 4.
    pub parallel: Count,
    /// Requests of all calls together; those of one such time may be sent at once. Default `"1000/s"`.
    pub rate: Rate,
    /// Bytes of a response's body. Default `"1MiB"`.
    pub response_bytes: ByteSize,
    /// TCP connect and TLS handshake. Default `"2s"`.
    pub connect_timeout: Timeout,
    /// Whether a granted host name may stand for a private, loopback or link-local address. An origin that is granted
    /// as an address may be one. Default `false`.
    pub allow_private: bool,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<Located<String>>,
}

impl Default for HttpClient {
    fn default() -> Self {
        Self {
            requests: Count(16),
            parallel: Count(4),
            rate: Rate {
                tokens: 1000,
                per: Duration::from_secs(1),
            },
            response_bytes: ByteSize(1 << 20),
            connect_timeout: Timeout::seconds(2),
            allow_private: false,
            ca: None,
        }
    }
}

/// Whether an instance serves one call or several.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Instances {
    /// A new instance for every call.
    Fresh,
    /// One call at a time, at most so many calls an instance.
    Reuse(Count),
}

/// Services granted to a plugin by name.
///
/// ```toml
/// grants = { metrics = true }
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Its own metrics under `gatewright_plugin_custom_*`. Default `false`.
    pub metrics: bool,
    /// Origins it may call, as URLs: scheme, host, port, and a path that the path of a request must be or be below.
    /// Default `[]`.
    pub http: Vec<Located<String>>,
    /// Secrets it may read, by their names in `[secrets]`. Default `[]`.
    pub secrets: Vec<Located<String>>,
    /// Key-value stores it may use, by name; `[kv.NAME]` has their limits. Default `[]`.
    pub kv: Vec<Located<String>>,
    /// Caches it may use, by name; `[cache.NAME]` has their limits. Default `[]`.
    pub cache: Vec<Located<String>>,
    /// Counters it may use, by name; `[counters.NAME]` has their limits. Default `[]`.
    pub counters: Vec<Located<String>>,
}
