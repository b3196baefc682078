//! `{ use = "ip", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Lets requests of some addresses pass.
///
/// ```toml
/// { use = "ip", allow = ["10.0.0.0/8", "2001:db8::/32"], deny = ["10.0.9.0/24"] }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct IpStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "ip"))]
    pub stage: Option<String>,
    /// Networks and addresses that may pass, and `"unix"` for clients of Unix sockets. Default: whoever is not denied.
    pub allow: Option<Located<Vec<Located<String>>>>,
    /// Those that may not, even when they are allowed. Default `[]`.
    pub deny: Vec<Located<String>>,
}
