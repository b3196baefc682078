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
    /// Which bodies it is given, and in which state, beyond what it says itself. Default: those that it asks for.
    pub bodies: PluginBodies,
    /// The plugin's own configuration. Default `{}`.
    pub config: Settings,
}

/// Which bodies a plugin is given.
///
/// ```toml
/// bodies = { request = { types = [] }, response = { types = ["application/json"], whole = true } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginBodies {
    /// Bodies of requests. Not for authorizers.
    pub request: BodyRule,
    /// Bodies of responses.
    pub response: BodyRule,
}

/// Which bodies of one direction a plugin is given. Another one streams past it untouched.
///
/// ```toml
/// { types = ["application/json", "*+json"], longest = "256KiB", whole = true, plain = true }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BodyRule {
    /// Content types of the bodies that it is given: `"text/html"`, `"text/*"`, `"*+json"`; `[]` is no body at all. Default: any.
    pub types: Option<Vec<Located<String>>>,
    /// Longest body that it is given. Default: none; what is longer than `body` is refused.
    pub longest: Option<ByteSize>,
    /// Whether parts are kept from it: ranges are not asked for, and a partial message is a fault. Default `false`.
    pub whole: bool,
    /// Whether encoded bodies are kept from it: codings are not asked for, and an encoded body is a fault. Default `false`.
    pub plain: bool,
}

impl Default for PluginStage {
    fn default() -> Self {
        Self {
            plugin: None,
            identity: Vec::new(),
            cache: Located::default(),
            on_fault: OnFault::Deny,
            body: ByteSize(1 << 20),
            bodies: PluginBodies::default(),
            config: Settings::default(),
        }
    }
}
