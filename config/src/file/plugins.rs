//! `[plugins]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Located, Timeout};
use crate::units::ByteSize;

/// Where plugins come from, and what they may cost together.
///
/// ```toml
/// [plugins]
/// directory = "plugins"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// Every `*.wasm` in this folder is a plugin, named after its file. Needed when a route names a plugin.
    pub directory: Option<Located<String>>,
    /// Where compiled code is kept. Default `".gatewright/compiled"`, beside the configuration file.
    pub store: Located<String>,
    /// Plugin instances alive at once, all plugins together. Default 256.
    pub instances: Count,
    /// The largest plugin file that is read. Default `"32MiB"`.
    pub file_bytes: ByteSize,
    /// How long compiling one plugin may take. Default `"2m"`.
    pub compile_time: Timeout,
    /// Memory that compiling one plugin may take. Default `"2GiB"`.
    pub compile_memory: ByteSize,
    /// Whether the gateway refuses to start when a route's plugin cannot be loaded. With `false` such a route answers
    /// 503 and the gateway is not ready until the plugin is there; all other routes serve. Default `true`.
    pub required: bool,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            store: ".gatewright/compiled".to_owned().into(),
            instances: Count(256),
            file_bytes: ByteSize(32 << 20),
            compile_time: Timeout::seconds(120),
            compile_memory: ByteSize(2 << 30),
            required: true,
        }
    }
}
