//! `[state]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Located, Timeout};

/// What this gateway counts, beyond its own life.
///
/// ```toml
/// [state]
/// snapshot = "/var/lib/gatewright/quotas"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// File to which what was spent of quotas is written, so that a restart does not give it again. Default: none.
    pub snapshot: Option<Located<String>>,
    /// How often it is written, if something was counted: what a gateway that is killed forgets. Default `"1s"`.
    pub interval: Timeout,
}

impl Default for State {
    fn default() -> Self {
        Self {
            snapshot: None,
            interval: Timeout::seconds(1),
        }
    }
}
