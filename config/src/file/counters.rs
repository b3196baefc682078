//! `[counters.NAME]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Located, Scope, StoreUnavailable};
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
    /// Who shares them: `"instance"` (default), the instances of one gateway; `"cluster"`, those of all gateways with the same
    /// `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"closed"` (default), operations fail; `"local"`, each
    /// gateway keeps its own.
    pub when_unavailable: Option<Located<StoreUnavailable>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            bytes: ByteSize(1 << 20),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
