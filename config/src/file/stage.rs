//! The stages of a chain.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Delay, Located, OnFault, Scope, Settings, WhenUnavailable};
use crate::units::{ByteSize, Rate};

/// Lets requests with a known API key pass.
///
/// ```toml
/// { use = "api-key", keys = "keys.toml", header = "authorization", scheme = "Bearer" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "keys"]))]
pub struct ApiKeyStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "api-key"))]
    pub stage: Option<String>,
    /// TOML file of hashed keys. Required.
    #[schemars(required)]
    pub keys: Option<Located<String>>,
    /// Header field that carries the key. Default `"x-api-key"` when `query` is absent too.
    pub header: Option<Located<String>>,
    /// Authentication scheme before the key in the header field, such as `"Bearer"`.
    pub scheme: Option<Located<String>>,
    /// Query parameter that carries the key; looked at after the header field.
    pub query: Option<Located<String>>,
}

/// Limits the rate of requests with token buckets.
///
/// ```toml
/// { use = "throttle", rate = "100/s", burst = 200, by = "api-key" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "rate"]))]
pub struct ThrottleStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "throttle"))]
    pub stage: Option<String>,
    /// Tokens refilled over time: `"100/s"`, `"5000/m"`, `"10/h"`. Required.
    #[schemars(required)]
    pub rate: Option<Rate>,
    /// Tokens there are at most. Default: those of `rate`.
    pub burst: Option<Count>,
    /// Whose bucket it is: `"route"`, `"client"` (default), `"api-key"` or `"header:NAME"`.
    pub by: Located<String>,
    /// Who shares the buckets: `"instance"` (default), this gateway's requests; `"cluster"`, those of all gateways with the
    /// same `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"local"` (default), each gateway counts for itself;
    /// `"open"`, nothing is limited; `"closed"`, requests are refused (503).
    pub when_unavailable: Option<Located<WhenUnavailable>>,
}

impl Default for ThrottleStage {
    fn default() -> Self {
        Self {
            stage: None,
            rate: None,
            burst: None,
            by: "client".to_owned().into(),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}

/// Calls a plugin: authorizer, transformation or filter, whatever it exports.
///
/// ```toml
/// { plugin = "tenant-authorizer", identity = ["header:authorization"], cache = "300s", config = { region = "eu" } }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["plugin"]))]
pub struct PluginStage {
    /// The plugin's name: its file's without `.wasm`. Required.
    #[schemars(required)]
    pub plugin: Option<Located<String>>,
    /// What an authorizer's decision depends on: `"header:NAME"`, `"query:NAME"`, `"path:NAME"`, `"client"`.
    /// Default `[]`.
    pub identity: Vec<Located<String>>,
    /// How long a decision may be reused when the plugin does not say, at most an hour; needs `identity`.
    /// Default `"0s"`: never.
    pub cache: Located<Delay>,
    /// What a fault, trap or timeout means: `"deny"` (default), `"skip"`, or a status from 500 to 599.
    pub on_fault: OnFault,
    /// Largest body passed to a plugin that asks for bodies. Default `"1MiB"`.
    pub body: ByteSize,
    /// The plugin's own configuration. Default `{}`.
    pub config: Settings,
}

impl Default for PluginStage {
    fn default() -> Self {
        Self {
            plugin: None,
            identity: Vec::new(),
            cache: Located::default(),
            on_fault: OnFault::Deny,
            body: ByteSize(1 << 20),
            config: Settings::default(),
        }
    }
}
