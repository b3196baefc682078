//! `{ use = "rewrite", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// Changes path and query of a request for everything that comes after.
///
/// ```toml
/// { use = "rewrite", strip_prefix = "/api", add_prefix = "/v2", query = { remove = ["debug"], set = { user = "{auth.principal}" } } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct RewriteStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "rewrite"))]
    pub stage: Option<String>,
    /// The new path; `{id}` is the route's parameter. Default: the path as it is.
    pub path: Option<Located<String>>,
    /// Whole segments that are taken off the start of the path, where it has them; not with `path`. Default: none.
    pub strip_prefix: Option<Located<String>>,
    /// Whole segments that are put before it; not with `path`. Default: none.
    pub add_prefix: Option<Located<String>>,
    /// What becomes of the query's parameters. Default: nothing.
    pub query: QueryEdits,
}

/// Changes of the query's parameters, in this order. Names and values are as they read; they are encoded where they have to be.
///
/// ```toml
/// { remove = ["debug"], rename = { q = "query" }, set = { tenant = "{auth.tenant}" }, append = { tag = "edge" } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueryEdits {
    /// Parameters that are taken away. Default `[]`.
    pub remove: Vec<Located<String>>,
    /// Parameters that get another name. Default `{}`.
    pub rename: BTreeMap<String, Located<String>>,
    /// Parameters that get this value and no other. `{path.NAME}` is a parameter of the path, `{auth.principal}` and other
    /// dotted names are attributes; where one of them is absent the parameter is taken away. Default `{}`.
    pub set: BTreeMap<String, Located<String>>,
    /// Parameters that get this value besides those that they have; nothing where a value that it needs is absent.
    /// Default `{}`.
    pub append: BTreeMap<String, Located<String>>,
}
