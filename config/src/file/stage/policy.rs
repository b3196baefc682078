//! `{ use = "policy", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Says who may do what, by statements as in resource policies of AWS: what one denies is denied, and what none allows is
/// not allowed.
///
/// ```toml
/// { use = "policy", statements = [{ effect = "allow", principals = ["partner-*"], methods = ["GET"], paths = ["/orders/*"] }] }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "statements"]))]
pub struct PolicyStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "policy"))]
    pub stage: Option<String>,
    /// The statements. Required.
    #[schemars(required, length(min = 1))]
    pub statements: Option<Located<Vec<Located<PolicyStatement>>>>,
    /// What becomes of a request that no statement is about: `"deny"` (default) or `"allow"`.
    pub otherwise: Effect,
}

/// What a statement does with requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// They may pass, if no other denies it.
    Allow,
    /// They may not.
    #[default]
    Deny,
}

/// Requests, and whether they may pass: all that is said must match. In texts `*` stands for any text and `?` for one
/// character.
///
/// ```toml
/// { effect = "deny", paths = ["/admin/*"], conditions = { NotIpAddress = { "aws:SourceIp" = ["10.0.0.0/8"] } } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["effect"]))]
pub struct PolicyStatement {
    /// `"allow"` or `"deny"`. Required.
    #[schemars(required)]
    pub effect: Option<Effect>,
    /// Principals. Default: everybody, also who has not proved who it is.
    pub principals: Option<Vec<String>>,
    /// Methods. Default: all.
    pub methods: Option<Vec<String>>,
    /// Paths in normal form. Default: all.
    pub paths: Option<Vec<String>>,
    /// Condition operators of AWS, and for each of them keys with their values. Default `{}`.
    pub conditions: BTreeMap<String, BTreeMap<String, Located<Vec<String>>>>,
}
