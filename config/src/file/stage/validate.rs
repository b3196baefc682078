//! `{ use = "validate", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Count, Located, Settings};
use crate::units::ByteSize;

/// Refuses requests whose body or parameters are not what the route asks for.
///
/// ```toml
/// { use = "validate", query = { page = { schema = { type = "integer", minimum = 1 } } }, schema_file = "order.schema.json" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct ValidateStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "validate"))]
    pub stage: Option<String>,
    /// The JSON Schema of the body. Default: none.
    pub schema: Option<Located<Settings>>,
    /// The file of a JSON Schema; not with `schema`. Default: none.
    pub schema_file: Option<Located<String>>,
    /// Whether the body may be left out. Default false.
    pub optional: bool,
    /// The longest body that is validated (413 above). Default `"1MiB"`.
    pub body: ByteSize,
    /// How deep the body may be nested, at most 100. Default 64.
    pub depth: Located<Count>,
    /// Content types that a body may have (415 otherwise). Default: with a schema JSON, otherwise all.
    pub types: Vec<Located<String>>,
    /// Parameters of the path. Default `{}`.
    pub path: BTreeMap<String, ParameterRule>,
    /// Parameters of the query. Default `{}`.
    pub query: BTreeMap<String, ParameterRule>,
    /// Header fields. Default `{}`.
    pub headers: BTreeMap<String, Located<ParameterRule>>,
}

impl Default for ValidateStage {
    fn default() -> Self {
        Self {
            stage: None,
            schema: None,
            schema_file: None,
            optional: false,
            body: ByteSize(1 << 20),
            depth: Count(64).into(),
            types: Vec::new(),
            path: BTreeMap::new(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }
}

/// What a parameter has to be.
///
/// ```toml
/// { required = true, schema = { type = "integer", minimum = 1 } }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParameterRule {
    /// Whether it has to be there. Default false.
    pub required: bool,
    /// The JSON Schema of its value, which is read as its `type` says. Default: any text.
    pub schema: Settings,
}
