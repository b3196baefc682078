//! `[plugin.NAME]` of a lock file.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Located;

/// A plugin as it was approved.
///
/// ```toml
/// [plugin.tenant-authorizer]
/// version = "1.2.0"
/// sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
/// kinds = ["authorizer"]
/// services = ["clock", "http-client"]
/// imports = ["http-client"]
/// reads = ["request-field:authorization"]
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Locked {
    /// The version that it gives itself. Required.
    pub version: Option<String>,
    /// SHA-256 of its file, 64 hexadecimal digits. Required.
    pub sha256: Option<Located<String>>,
    /// Who signed it.
    pub publisher: Option<String>,
    /// What it can be used as.
    pub kinds: BTreeSet<String>,
    /// Services that it says it uses.
    pub services: BTreeSet<String>,
    /// Services that it could use if they were granted.
    pub imports: BTreeSet<String>,
    /// What it reads of exchanges.
    pub reads: BTreeSet<String>,
}
