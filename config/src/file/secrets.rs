//! `[secrets]`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Located;

/// Secrets that can be granted to plugins, by name: `"env:NAME"` or `"file:PATH"` each.
///
/// ```toml
/// [secrets]
/// TENANT_KEY = "file:/run/secrets/tenant-key"
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secrets(pub BTreeMap<String, Located<String>>);
