//! `integration` of a route: what answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{Located, Settings};
use crate::units::ByteSize;

/// `{ http = "upstream", … }`, `{ respond = 200, … }` or `{ plugin = "name", … }`. serde reads it in externally
/// tagged form; the schema shows what users write.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integration {
    /// `{ http = "upstream" }`
    Http(HttpIntegration),
    /// `{ respond = 200 }`
    Respond(RespondIntegration),
    /// `{ plugin = "name" }`
    Plugin(PluginIntegration),
}

impl JsonSchema for Integration {
    fn schema_name() -> Cow<'static, str> {
        "Integration".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What answers: an upstream, a fixed response, or a plugin.",
            "anyOf": [
                generator.subschema_for::<HttpIntegration>(),
                generator.subschema_for::<RespondIntegration>(),
                generator.subschema_for::<PluginIntegration>(),
            ]
        })
    }
}

/// Sends the request to an upstream.
///
/// ```toml
/// { http = "users", path = "/v1/users/{id}", headers = { x-principal = "{auth.principal}" } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["http"]))]
pub struct HttpIntegration {
    /// The upstream's name. Required.
    #[schemars(required)]
    pub http: Option<Located<String>>,
    /// The path sent instead of the request's; `{id}` is the route's parameter. Default: the request's path.
    pub path: Option<Located<String>>,
    /// `Host` sent: the client's (`true`) or the target's (`false`, default).
    pub preserve_host: bool,
    /// Header fields set from text and what is known of the exchange, such as `{path.id}`, `{client.address}` or
    /// `{auth.principal}`; a field whose value is absent is removed. Default `{}`.
    pub headers: BTreeMap<String, Located<String>>,
}

/// Answers by itself, always the same.
///
/// ```toml
/// { respond = 200, headers = { content-type = "text/plain" }, body = "ok" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["respond"]))]
pub struct RespondIntegration {
    /// Status, 200 to 599. Required.
    #[schemars(required, range(min = 200, max = 599))]
    pub respond: Option<Located<u16>>,
    /// Header fields set from text and what is known of the exchange, such as `{request.id}`; one whose value is absent is left
    /// out. Default `{}`.
    pub headers: BTreeMap<String, Located<String>>,
    /// Body. Default `""`.
    pub body: String,
}

/// Lets a plugin answer.
///
/// ```toml
/// { plugin = "quote", config = { currency = "EUR" } }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["plugin"]))]
pub struct PluginIntegration {
    /// The plugin's name: its file's without `.wasm`. Required.
    #[schemars(required)]
    pub plugin: Option<Located<String>>,
    /// The plugin's own configuration. Default `{}`.
    pub config: Settings,
    /// Largest body passed to it (413 above). Default `"1MiB"`.
    pub body: ByteSize,
}

impl Default for PluginIntegration {
    fn default() -> Self {
        Self {
            plugin: None,
            config: Settings::default(),
            body: ByteSize(1 << 20),
        }
    }
}
