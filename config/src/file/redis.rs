//! `[redis]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Located, Timeout};

/// Redis or Valkey servers, in which gateways share what has `scope = "cluster"`.
///
/// ```toml
/// [redis]
/// servers = ["rediss://redis.internal:6379"]
/// password = "env:REDIS_PASSWORD"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["servers"]))]
pub struct Redis {
    /// `redis://HOST:PORT`, `rediss://HOST:PORT` for TLS, or `unix:/PATH`; one server, or several sentinels or nodes of a
    /// cluster. Required.
    #[schemars(required, length(min = 1))]
    pub servers: Option<Located<Vec<Located<String>>>>,
    /// What `servers` are: `"single"` (default), `"sentinel"` or `"cluster"`.
    pub mode: Located<RedisMode>,
    /// The name under which sentinels know the primary; with `mode = "sentinel"`.
    pub primary: Option<Located<String>>,
    /// The user. Default: the server's default user.
    pub username: Option<String>,
    /// The user's password: `"env:NAME"` or `"file:PATH"`.
    pub password: Option<Located<String>>,
    /// The user at the sentinels; with `mode = "sentinel"`. Default: their default user.
    pub sentinel_username: Option<Located<String>>,
    /// That user's password, or the one that sentinels ask for: `"env:NAME"` or `"file:PATH"`.
    pub sentinel_password: Option<Located<String>>,
    /// The number of the database; a cluster has only 0. Default 0.
    pub database: Located<u32>,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<Located<String>>,
    /// What all keys begin with. Gateways with the same one share what they keep. Default `"gatewright"`.
    pub prefix: Located<String>,
    /// TCP connect, TLS handshake and login. Default `"1s"`.
    pub connect_timeout: Timeout,
    /// One operation; then the servers count as unavailable for it. Default `"100ms"`.
    pub timeout: Timeout,
    /// What `/readyz` says while the servers cannot be used: `"warn"` (default), that the gateway is ready, with a warning, or
    /// `"require"`, that it is not ready.
    pub readiness: RedisReadiness,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            servers: None,
            mode: Located::default(),
            primary: None,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            database: Located::default(),
            ca: None,
            prefix: "gatewright".to_owned().into(),
            connect_timeout: Timeout::seconds(1),
            timeout: Timeout(std::time::Duration::from_millis(100)),
            readiness: RedisReadiness::default(),
        }
    }
}

/// What `/readyz` says while the servers cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RedisReadiness {
    /// The gateway is ready, with a warning.
    #[default]
    Warn,
    /// The gateway is not ready.
    Require,
}

/// What the servers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RedisMode {
    /// One server.
    #[default]
    Single,
    /// Sentinels, which know where the primary is.
    Sentinel,
    /// Nodes of a cluster, which know the others.
    Cluster,
}
