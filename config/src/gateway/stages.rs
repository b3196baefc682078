//! What chains consist of: one type a stage, with what belongs to it.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::{Scope, TemplatePart, ValueTemplate};
use crate::units::{ByteSize, Rate};

/// One stage of a chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageConfig {
    /// Line in the file, for messages.
    pub line: usize,
    /// Which one, with its settings.
    pub kind: StageKind,
}

/// The stages there are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum StageKind {
    /// `{ use = "api-key" }`
    ApiKey(ApiKeyConfig),
    /// `{ use = "cors" }`
    Cors(CorsConfig),
    /// `{ use = "headers" }`
    Headers(HeadersConfig),
    /// `{ use = "ip" }`
    Ip(IpConfig),
    /// `{ use = "throttle" }`
    Throttle(ThrottleConfig),
    /// `{ plugin = NAME }`
    Plugin(PluginStageConfig),
}

/// `{ use = "api-key", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiKeyConfig {
    /// TOML file of hashed keys.
    pub keys: PathBuf,
    /// Where the key is looked for, in this order.
    pub sources: Vec<ApiKeySource>,
}

/// Where a client puts its key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ApiKeySource {
    /// The whole value of a header field, or what follows `scheme` and a space.
    Header {
        /// Lower-case field name.
        name: String,
        /// Authentication scheme such as `Bearer`, compared without case.
        scheme: Option<String>,
    },
    /// A query parameter.
    Query(String),
}

/// `{ use = "cors", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorsConfig {
    /// Origins whose scripts may read.
    pub origins: Vec<OriginPattern>,
    /// Methods that they may use; none: those of the route.
    pub methods: Option<Vec<String>>,
    /// Header fields that they may send, in lower case; none: whatever they ask for.
    pub headers: Option<Vec<String>>,
    /// Header fields that they may read, in lower case.
    pub expose: Vec<String>,
    /// Whether they may act as the user.
    pub credentials: bool,
    /// How long browsers may keep the answer to a preflight request.
    pub max_age: Option<Duration>,
}

/// Origins of scripts, as browsers say them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum OriginPattern {
    /// All.
    Any,
    /// This one.
    Exact(String),
    /// Those of all hosts under a domain.
    Under {
        /// Such as `https://`.
        scheme: String,
        /// Such as `.example.com:8443`.
        domain: String,
    },
}

/// `{ use = "headers", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadersConfig {
    /// What becomes of a request's header fields.
    pub request: HeaderEdits,
    /// What becomes of a response's.
    pub response: HeaderEdits,
}

impl HeadersConfig {
    /// Names of the path's parameters that its values have in them.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let edits = [&self.request, &self.response].into_iter();
        let values = edits.flat_map(|edits| edits.set.iter().chain(&edits.append));
        let parts = values.flat_map(|(_, value)| &value.0);
        parts.filter_map(|part| match part {
            TemplatePart::Path(name) => Some(name.as_str()),
            TemplatePart::Text(_) | TemplatePart::Attribute(_) => None,
        })
    }
}

/// Changes of header fields, in this order. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeaderEdits {
    /// Fields that are taken away.
    pub remove: Vec<String>,
    /// Fields that get this value and no other, or go where it has none.
    pub set: Vec<(String, ValueTemplate)>,
    /// Fields that get this value too.
    pub append: Vec<(String, ValueTemplate)>,
}

impl HeaderEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }
}

/// `{ use = "ip", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IpConfig {
    /// Who may pass; none: whoever is not denied.
    pub allow: Option<IpList>,
    /// Who may not.
    pub deny: IpList,
}

/// Addresses of clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IpList {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Clients of Unix sockets of whom no address is known.
    pub unix: bool,
}

/// `{ use = "throttle", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThrottleConfig {
    /// Tokens refilled over time.
    pub rate: Rate,
    /// Tokens there are at most.
    pub burst: u64,
    /// Whose bucket it is.
    pub by: ThrottleKey,
    /// Who shares the buckets.
    pub scope: Scope,
}

/// Whose bucket a throttle takes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ThrottleKey {
    /// One bucket for everybody who comes through this stage of this route.
    Route,
    /// The client's address, as far as trusted proxies tell.
    Client,
    /// The principal that an earlier `api-key` or authorizer named; the client's address when none did.
    ApiKey,
    /// The value of this header field (lower case); the client's address when absent.
    Header(String),
}

/// `{ plugin = NAME, … }` in a chain
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginStageConfig {
    /// The plugin's name.
    pub plugin: String,
    /// What an authorizer's decision depends on; empty: nothing is passed and nothing is cached.
    pub identity: Vec<IdentitySource>,
    /// How long a decision may be reused when the plugin does not say; zero is never.
    pub cache: Duration,
    /// What a fault, trap or timeout means.
    pub on_fault: OnFault,
    /// Largest body passed to a plugin that asks for bodies (413 or 502 above).
    pub body_bytes: ByteSize,
    /// The plugin's own configuration.
    pub config: serde_json::Value,
}

/// A value of the request that identifies the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum IdentitySource {
    /// `header:NAME`, lower case
    Header(String),
    /// `query:NAME`
    Query(String),
    /// `path:NAME`: a captured parameter
    Path(String),
    /// `client`: the client's address
    Client,
}

/// What becomes of an exchange whose plugin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OnFault {
    /// The exchange fails (500, 503 or 504 by cause).
    Deny,
    /// The stage is passed over as if it were not there. Refused for authorizers: one that fails lets nobody pass.
    Skip,
    /// The exchange fails with this status.
    Status(u16),
}
