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
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            output: "stdout".to_owned().into(),
        }
    }
}
