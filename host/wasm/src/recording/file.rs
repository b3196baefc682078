//! What is in the file of a recording.

use std::net::IpAddr;
use std::path::PathBuf;

use gatewright_config::cases::{Content, ServiceAnswer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A call that was written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recording {
    /// 2.
    pub format: u32,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// The exchange.
    pub exchange: String,
    /// The rule that it was written down for: how it failed, `slow`, or `sample`.
    pub rule: String,
    /// The plugin's name.
    pub plugin: String,
    /// Its file.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub digest: String,
    /// The version it gives itself.
    pub version: String,
    /// The interface.
    pub hook: String,
    /// How the call ended, as metrics have it.
    pub outcome: String,
    /// In the words of the access record.
    pub failure: Option<String>,
    /// Time waiting for a place, in microseconds.
    pub queue_us: u64,
    /// Time after that.
    pub wall_us: u64,
    /// Processor time.
    pub cpu_us: u64,
    /// Its limits.
    pub limits: RecordedLimits,
    /// Its configuration, with stars in the place of secrets.
    pub config: Json,
    /// JSON pointers of the secrets in it.
    #[serde(default)]
    pub config_redacted: Vec<String>,
    /// The route.
    pub route: String,
    /// What an authorizer's decision depends on.
    pub identity: Vec<Option<String>>,
    /// The request.
    pub request: RecordedRequest,
    /// The response, for hooks that see one.
    pub response: Option<RecordedResponse>,
    /// What it asked services for, in this order, and what they answered.
    pub services: Vec<RecordedService>,
    /// Calls of services after those.
    pub services_left_out: u64,
    /// What went through a filter, and came out of it.
    pub chunks: Vec<RecordedChunk>,
    /// Chunks after those.
    pub chunks_left_out: u64,
}

/// A service that was asked for something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedService {
    /// The function, and what it was asked for.
    pub ask: String,
    /// What it answered.
    pub answer: ServiceAnswer,
    /// Its time, in microseconds.
    pub us: u64,
}

/// A chunk on its way through a filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedChunk {
    /// What was pushed; none at the end of the body.
    pub given: Option<Content>,
    /// What came out; none when the filter failed.
    pub returned: Option<Content>,
}

/// Limits of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedLimits {
    /// Linear memory.
    pub memory_bytes: u64,
    /// Wall time.
    pub time_ms: u64,
    /// Processor time.
    pub cpu_ms: u64,
}

/// A request as a plugin was given it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// Method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query, where it is written down; there are stars in the place of other values than those of the parameters that are
    /// named.
    #[serde(default)]
    pub query: Option<String>,
    /// Whether something of the query is left out or redacted.
    #[serde(default)]
    pub query_redacted: bool,
    /// Host and port.
    pub authority: String,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS.
    pub tls: bool,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// What the path captured.
    pub parameters: Vec<(String, String)>,
    /// What stages before it found out.
    pub attributes: Vec<(String, Json)>,
    /// Body, where it is written down.
    pub body: Option<Content>,
}

/// A response as a plugin was given it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// Body, where it is written down.
    pub body: Option<Content>,
}
