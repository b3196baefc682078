//! `[response_cache]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::Located;
use crate::units::ByteSize;

/// What the stages `cache` of all routes keep together.
///
/// ```toml
/// [response_cache]
/// bytes = "512MiB"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseCache {
    /// What responses may take in memory, those included that are just being fetched. Beyond that, those that nobody asks
    /// for make room. Default `"64MiB"`.
    pub bytes: ByteSize,
    /// A folder for more than fits into memory. Default: there is none.
    pub disk: Option<Located<DiskCache>>,
}

/// A folder for more responses than fit into memory.
///
/// ```toml
/// disk = { directory = "/var/cache/gatewright", bytes = "10GiB" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["directory"]))]
pub struct DiskCache {
    /// The folder, for this gateway alone. Required.
    #[schemars(required)]
    pub directory: Option<Located<String>>,
    /// What responses may take there. Default `"1GiB"`.
    pub bytes: ByteSize,
}

impl Default for DiskCache {
    fn default() -> Self {
        Self {
            directory: None,
            bytes: ByteSize(1 << 30),
        }
    }
}

impl Default for ResponseCache {
    fn default() -> Self {
        Self {
            bytes: ByteSize(64 << 20),
            disk: None,
        }
    }
}
