//! `{ use = "api-key", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::Located;

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
    /// Further header fields that may carry the key, without a scheme; looked at after `header`, in this order. Default `[]`.
    pub headers: Vec<Located<String>>,
    /// Authentication scheme before the key in the header field, such as `"Bearer"`.
    pub scheme: Option<Located<String>>,
    /// Query parameter that carries the key; looked at after the header fields.
    pub query: Option<Located<String>>,
    /// Where the key comes from: `"request"` (default), or `"authorizer"`, the usage key that an authorizer before this
    /// stage named.
    pub source: Located<KeySource>,
    /// Whether the upstream gets the key too. Default false: fields and parameters that may carry it end at the gateway.
    pub forward: bool,
}

/// Where an API key comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// The client sends it.
    #[default]
    Request,
    /// An authorizer names it.
    Authorizer,
}
