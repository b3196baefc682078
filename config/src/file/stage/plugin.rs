//! `{ plugin = "NAME", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located, OnFault, Settings};
use crate::units::ByteSize;

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
