//! `[plugins]`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Where the files of plugins that have served are kept, the last five of each, for `gatewright plugin rollback`.
    /// Default `".gatewright/versions"`, beside the configuration file.
    pub versions: Located<String>,
    /// Plugin instances alive at once, all plugins together; those of components for `wasi:http` 0.3 are counted apart, with as
    /// many. Default 256.
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
    /// Whose signatures count, by name: their public keys, as OpenSSH writes them. Default: nobody's.
    pub publishers: BTreeMap<String, Vec<Located<String>>>,
    /// Whether every plugin must be signed by one of the publishers. Default `false`.
    pub require_signed: bool,
    /// Whether plugins must be what the lock file says; it is beside the configuration file and has its name, with the
    /// ending `.lock`. `"if-present"` (default): when there is one; `"required"`: there must be one; `"off"`: never.
    pub lock: LockUse,
    /// What the lock file holds a new version of a plugin to. `"digest"` (default): it must be the very file that was
    /// approved; `"wishes"`: it may be another one that wants no more than was approved.
    pub lock_policy: LockPolicy,
}

/// When the lock file counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockUse {
    /// When there is one.
    #[default]
    IfPresent,
    /// There must be one.
    Required,
    /// Never.
    Off,
}

/// What the lock file holds a plugin to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockPolicy {
    /// The very file.
    #[default]
    Digest,
    /// What it wants.
    Wishes,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            store: ".gatewright/compiled".to_owned().into(),
            versions: ".gatewright/versions".to_owned().into(),
            instances: Count(256),
            file_bytes: ByteSize(32 << 20),
            compile_time: Timeout::seconds(120),
            compile_memory: ByteSize(2 << 30),
            required: true,
            publishers: BTreeMap::new(),
            require_signed: false,
            lock: LockUse::default(),
            lock_policy: LockPolicy::default(),
        }
    }
}
