//! What plugins may do, what they are granted, and what stands between a new file and the requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Scope, SecretReference};
use crate::file::{CandidateMode, CandidateShare, LockPolicy, LockUse, RecordOn};
use crate::place::{FileReference, Place};
use crate::public_key::PublicKey;
use crate::units::{ByteSize, Rate};

/// `[plugins]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginsConfig {
    /// Every `*.wasm` here is a plugin, named after its file; none when no folder is configured.
    pub directory: Option<FileReference>,
    /// Where compiled code is kept.
    pub store: FileReference,
    /// Where the files of plugins that have served are kept.
    pub versions: PathBuf,
    /// Plugin instances alive at once, all plugins together; those for `wasi:http` 0.3 apart.
    pub instances: u32,
    /// The largest plugin file that is read.
    pub file_bytes: ByteSize,
    /// How long compiling one plugin may take.
    pub compile_time: Duration,
    /// Memory that compiling one plugin may take.
    pub compile_memory: ByteSize,
    /// The gateway refuses to start when a route's plugin cannot be loaded.
    pub required: bool,
    /// Whose signatures count: their keys, by name.
    pub publishers: BTreeMap<String, Vec<PublicKey>>,
    /// Every plugin must be signed by one of them.
    pub require_signed: bool,
    /// The lock file.
    pub lock: LockConfig,
}

/// The lock file, and what it holds plugins to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockConfig {
    /// Beside the configuration file.
    pub file: PathBuf,
    /// When it counts.
    pub when: LockUse,
    /// What it holds plugins to.
    pub policy: LockPolicy,
    /// `[plugins]`, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// `[plugin.NAME]`: limits, always on, and grants, none by default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginConfig {
    /// Linear memory of one instance.
    pub memory: ByteSize,
    /// Wall time of one call, waiting included.
    pub time: Duration,
    /// Processor time of one call.
    pub cpu: Duration,
    /// Bytes that one call may pass to the host: arguments of host calls and results together.
    pub host_call_bytes: ByteSize,
    /// Bytes of one result: body and headers of a response, or edits.
    pub output_bytes: ByteSize,
    /// Bytes of log text of one call; more is dropped and counted.
    pub log_bytes: ByteSize,
    /// Resource handles that one instance has at once.
    pub handles: usize,
    /// Calls running at once; more wait.
    pub concurrency: usize,
    /// How long a call may wait for a place (503 after).
    pub queue_timeout: Duration,
    /// Whether an instance serves one call or several.
    pub instances: InstancePolicy,
    /// What it may use beyond log, clock and random numbers.
    pub grants: Grants,
    /// Limits of its own requests.
    pub http: HttpClientConfig,
    /// Names of the publishers of whom one must have signed it; none: it is as `[plugins]` says.
    pub publishers: Option<BTreeSet<String>>,
    /// A new version on trial; none: there is none, whatever files there are.
    pub candidate: Option<CandidateConfig>,
    /// Which of its calls are written down; none for none.
    pub record: Option<RecordConfig>,
}

/// `[plugin.NAME.candidate]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CandidateConfig {
    /// What it may do.
    pub mode: CandidateMode,
    /// Its share of the requests.
    pub percent: u32,
    /// What the share is made of.
    pub by: CandidateShare,
    /// More failures of 100 calls roll it back.
    pub failures: u32,
    /// A call that takes longer is slow; none: no call is.
    pub slow_after: Option<Duration>,
    /// More slow ones of 100 calls roll it back.
    pub slow: u32,
    /// More other decisions of 100 roll it back; none: they are counted only.
    pub differences: Option<u32>,
    /// Calls of a shadow at once.
    pub concurrency: usize,
}

/// `[plugin.NAME.record]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordConfig {
    /// Calls that fail so.
    pub on: Vec<RecordOn>,
    /// Calls that take longer, once they have their place.
    pub slower_than: Option<Duration>,
    /// One in so many calls.
    pub sample: Option<u32>,
    /// Header fields, in lower case, whose values are written down.
    pub fields: Vec<String>,
    /// Parameters of the query whose values are written down; empty: the query is left out.
    pub query: Vec<String>,
    /// Whether bodies are written down.
    pub bodies: bool,
    /// Whether what services answered is written down as it was.
    pub answers: bool,
    /// Where.
    pub directory: PathBuf,
    /// Bytes of the files in there.
    pub directory_bytes: ByteSize,
}

/// `[plugin.NAME.http]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpClientConfig {
    /// Requests of one call.
    pub requests: usize,
    /// Those of them that are under way at once.
    pub parallel: usize,
    /// Requests of all calls together.
    pub rate: Rate,
    /// Bytes of a response's body.
    pub response_bytes: ByteSize,
    /// TCP connect and TLS handshake.
    pub connect_timeout: Duration,
    /// A granted host name may stand for a private, loopback or link-local address.
    pub allow_private: bool,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<FileReference>,
}

/// Whether an instance serves one call or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum InstancePolicy {
    /// A new instance for every call.
    Fresh,
    /// One call at a time, at most so many calls an instance.
    Reuse(u32),
}

/// Services granted to a plugin by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Grants {
    /// Its own metrics under `gatewright_plugin_custom_*`.
    pub metrics: bool,
    /// Secrets that it may read, by name.
    pub secrets: BTreeMap<String, SecretGrant>,
    /// Origins that it may call.
    pub http: Vec<OriginGrant>,
    /// Key-value stores that it may use, by name.
    pub kv: BTreeMap<String, KvGrant>,
    /// Caches that it may use, by name.
    pub cache: BTreeMap<String, CacheGrant>,
    /// Counters that it may use, by name.
    pub counters: BTreeMap<String, CounterGrant>,
}

/// An origin that a plugin may call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OriginGrant {
    /// TLS is spoken to it.
    pub tls: bool,
    /// Host name or address, lower case, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What the path of a request must be or be below: empty or `/a/b`, normalised, no trailing slash.
    pub path: String,
    /// Where it is granted, for messages.
    #[serde(skip)]
    pub place: Place,
}

/// A key-value store that a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KvGrant {
    /// Bytes of one value.
    pub value_bytes: ByteSize,
    /// What its entries may take.
    pub bytes: ByteSize,
    /// Who shares them.
    pub scope: Scope,
}

/// A cache that a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CacheGrant {
    /// Bytes of one value.
    pub value_bytes: ByteSize,
    /// What its values may take.
    pub bytes: ByteSize,
    /// Calls that may wait at once for values that others compute.
    pub waiting: usize,
    /// Who shares them.
    pub scope: Scope,
}

/// Counters that a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CounterGrant {
    /// What they may take.
    pub bytes: ByteSize,
    /// Who shares them.
    pub scope: Scope,
}

/// A secret that a plugin may read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecretGrant {
    /// Where its value is found.
    pub reference: SecretReference,
    /// Where `[secrets]` says so, for messages.
    #[serde(skip)]
    pub place: Place,
}
