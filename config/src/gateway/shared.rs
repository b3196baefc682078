//! Where gateways share what they count and keep, and what is shared.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::SecretSource;
use crate::place::{FileReference, Place};

/// `[redis]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedisConfig {
    /// The servers.
    pub servers: RedisServers,
    /// The user, if not the servers' default one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<SecretSource>,
    /// The user at the sentinels, if not their default one.
    pub sentinel_username: Option<String>,
    /// The sentinels' password.
    pub sentinel_password: Option<SecretSource>,
    /// The number of the database.
    pub database: u32,
    /// Whether they speak TLS.
    pub tls: bool,
    /// Certificate authorities; none for the system's.
    pub ca: Option<FileReference>,
    /// What all keys begin with.
    pub prefix: String,
    /// TCP connect, TLS handshake and login.
    pub connect_timeout: Duration,
    /// One operation.
    pub timeout: Duration,
    /// The gateway is not ready while the servers cannot be used.
    pub required: bool,
    /// Where the file says so, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// The servers of `[redis]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum RedisServers {
    /// One server.
    Single(RedisAddress),
    /// Sentinels.
    Sentinel {
        /// Where they are.
        sentinels: Vec<RedisAddress>,
        /// The name under which they know the primary.
        primary: String,
    },
    /// Nodes of a cluster.
    Cluster(Vec<RedisAddress>),
}

/// Where one of them listens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum RedisAddress {
    /// Host and port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// `[state]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateConfig {
    /// File to which what was spent of quotas is written; none: it is forgotten.
    pub snapshot: Option<FileReference>,
    /// How often.
    pub interval: Duration,
}

/// Who shares what is counted or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scope {
    /// The requests of one gateway.
    Instance,
    /// Those of all gateways with the same `[redis]`.
    Cluster(Away),
}

/// What is done while the servers of `[redis]` do not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Away {
    /// Nothing is limited.
    Open,
    /// What needs them is refused.
    Closed,
    /// Each gateway counts and keeps for itself.
    Local,
}
