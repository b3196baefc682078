//! `{ use = "api-key", … }`

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// Authentication scheme before the key in the header field, such as `"Bearer"`.
    pub scheme: Option<Located<String>>,
    /// Query parameter that carries the key; looked at after the header field.
    pub query: Option<Located<String>>,
}
