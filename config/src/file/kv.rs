//! `[kv.NAME]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Located, Scope, StoreUnavailable};
use crate::units::ByteSize;

/// A key-value store that can be granted to plugins. Each plugin has its own under this name.
///
/// ```toml
/// [kv.sessions]
/// value_bytes = "16KiB"
/// bytes = "16MiB"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kv {
    /// Bytes of one value. Default `"64KiB"`.
    pub value_bytes: ByteSize,
    /// What the entries of one plugin may take, about 150 bytes, key and value each. Beyond that, nothing can be added
    /// until something is deleted or its time is over. Default `"4MiB"`.
    pub bytes: ByteSize,
    /// Who shares them: `"instance"` (default), the instances of one gateway; `"cluster"`, those of all gateways with the same
    /// `[redis]`.
    pub scope: Located<Scope>,
    /// With `scope = "cluster"`, while the servers do not answer: `"closed"` (default), operations fail; `"local"`, each
    /// gateway keeps its own.
    pub when_unavailable: Option<Located<StoreUnavailable>>,
}

impl Default for Kv {
    fn default() -> Self {
        Self {
            value_bytes: ByteSize(64 << 10),
            bytes: ByteSize(4 << 20),
            scope: Located::default(),
            when_unavailable: None,
        }
    }
}
