//! `{ use = "redirect", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Sends clients elsewhere.
///
/// ```toml
/// { use = "redirect", scheme = "https", host = "www.example.com" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct RedirectStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "redirect"))]
    pub stage: Option<String>,
    /// 301, 302, 303, 307 or 308 (default).
    #[schemars(extend("enum" = [301, 302, 303, 307, 308]))]
    pub status: Located<u16>,
    /// `"https"` or `"http"`. Default: the request's.
    pub scheme: Option<Located<String>>,
    /// Host, with a port where it is not the scheme's usual one. Default: the request's, without its port where `scheme` changes.
    pub host: Option<Located<String>>,
    /// Path; `{id}` is the route's parameter. Default: the request's.
    pub path: Option<Located<String>>,
    /// Whether the request's query goes along. Default true.
    pub keep_query: bool,
}

impl Default for RedirectStage {
    fn default() -> Self {
        Self {
            stage: None,
            status: 308.into(),
            scheme: None,
            host: None,
            path: None,
            keep_query: true,
        }
    }
}
