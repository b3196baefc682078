//! `[cache.NAME]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Located, Scope, StoreUnavailable};
use crate::units::ByteSize;

/// A cache that can be granted to plugins. Each plugin has its own under this name.
///
/// ```toml
/// [cache.keys]
/// value_bytes = "16KiB"
/// bytes = "1MiB"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Bytes of one value. Default `"64KiB"`.
    pub value_bytes: ByteSize,
    /// What the values of one plugin may take, about 150 bytes, key and value each. Beyond that, those nearest to their
    /// end make room. Default `"4MiB"`.
    pub bytes: ByteSize,
    /// Calls that may wait at once for values that others compute. Default 256.
    pub waiting: Count,
    /// Who shares them: `"instance"` (default), the instances of one gateway; `"cluster"`, those of all gateways with the same
    /// `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"closed"` (default), operations fail; `"local"`, each
    /// gateway keeps its own.
    pub when_unavailable: Option<Located<StoreUnavailable>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            value_bytes: ByteSize(64 << 10),
            bytes: ByteSize(4 << 20),
            waiting: Count(256),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
