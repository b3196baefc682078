//! `[chain]` and what a chain consists of.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{ApiKeyStage, CorsStage, HeadersStage, IpStage, Located, PluginStage, ThrottleStage};

/// The built-in stages: what `use` may say.
pub const STAGES: [&str; 5] = ["api-key", "cors", "headers", "ip", "throttle"];

/// Stages in order; a name stands for the stages of that chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Chain(pub Vec<Located<ChainEntry>>);

/// One entry of a chain: `"name"`, `{ use = "throttle", … }` or `{ plugin = "name", … }`. serde reads it in
/// externally tagged form; the schema shows what users write.
#[derive(Clone, Debug, Deserialize)]
pub enum ChainEntry {
    /// A named chain.
    #[serde(rename = "chain")]
    Chain(Located<String>),
    /// `{ use = "api-key" }`
    #[serde(rename = "api-key")]
    ApiKey(ApiKeyStage),
    /// `{ use = "cors" }`
    #[serde(rename = "cors")]
    Cors(CorsStage),
    /// `{ use = "headers" }`
    #[serde(rename = "headers")]
    Headers(HeadersStage),
    /// `{ use = "ip" }`
    #[serde(rename = "ip")]
    Ip(IpStage),
    /// `{ use = "throttle" }`
    #[serde(rename = "throttle")]
    Throttle(ThrottleStage),
    /// `{ plugin = "name" }`
    #[serde(rename = "plugin")]
    Plugin(PluginStage),
}

impl JsonSchema for ChainEntry {
    fn schema_name() -> Cow<'static, str> {
        "ChainEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One entry of a chain: the name of a chain, a built-in stage, or a plugin.",
            "anyOf": [
                { "type": "string", "description": "The name of a chain under `[chain]`." },
                generator.subschema_for::<ApiKeyStage>(),
                generator.subschema_for::<CorsStage>(),
                generator.subschema_for::<HeadersStage>(),
                generator.subschema_for::<IpStage>(),
                generator.subschema_for::<ThrottleStage>(),
                generator.subschema_for::<PluginStage>(),
            ]
        })
    }
}
