//! `{ use = "headers", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Changes header fields of requests and responses.
///
/// ```toml
/// { use = "headers", request = { set = { x-user = "{auth.principal}" } }, response = { remove = ["server"] } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct HeadersStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "headers"))]
    pub stage: Option<String>,
    /// What becomes of a request's header fields on the way in. Default: nothing.
    pub request: HeaderEdits,
    /// What becomes of a response's on the way out. Default: nothing.
    pub response: HeaderEdits,
}

/// Changes of header fields. Those that are removed go first, then others are set, then appended.
///
/// ```toml
/// { remove = ["server"], set = { x-frame-options = "DENY" }, append = { vary = "x-tenant" } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderEdits {
    /// Fields that are taken away. Default `[]`.
    pub remove: Vec<Located<String>>,
    /// Fields that get this value and no other. `{path.NAME}` is a parameter of the path, `{auth.principal}` and other
    /// dotted names are attributes; where one of them is absent the field is taken away. Default `{}`.
    pub set: BTreeMap<String, Located<String>>,
    /// Fields that get this value besides those that they have; nothing where a value that it needs is absent.
    /// Default `{}`.
    pub append: BTreeMap<String, Located<String>>,
}
