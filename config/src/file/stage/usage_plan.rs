//! `{ use = "usage-plan", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Holds API keys to their usage plans.
///
/// ```toml
/// { use = "usage-plan", default = "free" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct UsagePlanStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "usage-plan"))]
    pub stage: Option<String>,
    /// The plan of whoever has none of this route, counted by principal or address. Default: they are refused (403).
    pub default: Option<Located<String>>,
}
