//! `[access_log]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::Located;

/// Where access records go, as JSON lines.
///
/// ```toml
/// [access_log]
/// output = "file:/var/log/gatewright/access.log"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLog {
    /// `"stdout"` (default), `"off"` or `"file:PATH"`.
    pub output: Located<String>,
    /// The fields of a record, in this order. `"standard"` stands for those that there are by default; others are `"query"`,
    /// `"user_agent"`, `"referer"`, `"tls"`, `"upstream_status"`, `"upstream_tries"`, and the names that templates have, such as
    /// `"auth.claims.tenant"` or `"header.accept"`. Default `["standard"]`.
    pub fields: Vec<Located<String>>,
    /// Names of query parameters and header fields whose values are not shown, beside those whose names say that they are
    /// secret. Default `[]`.
    pub redact: Vec<String>,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            output: "stdout".to_owned().into(),
            fields: vec!["standard".to_owned().into()],
            redact: Vec::new(),
        }
    }
}
