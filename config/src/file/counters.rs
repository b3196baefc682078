//! `[counters.NAME]`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::ByteSize;

/// Counters that can be granted to plugins. Each plugin has its own under this name.
///
/// ```toml
/// [counters.logins]
/// bytes = "4MiB"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Counters {
    /// What the counters of one plugin may take, about 150 bytes and the key each. Beyond that, those nearest to their
    /// end make room. Default `"1MiB"`.
    pub bytes: ByteSize,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            bytes: ByteSize(1 << 20),
        }
    }
}
