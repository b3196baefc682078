//! `[[key]]` of an API-keys file.

use serde::Deserialize;

use super::Located;

/// One API key, by its hash.
///
/// ```toml
/// [[key]]
/// name = "partner-a"
/// sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Key {
    /// Who the key stands for: the principal in logs, throttles and plugins. Required.
    pub name: Option<Located<String>>,
    /// SHA-256 of the key, 64 hexadecimal digits. Required.
    pub sha256: Option<Located<String>>,
    /// Whether the key is accepted. Default `true`.
    pub enabled: bool,
    /// What people should know of it.
    pub description: Option<String>,
    /// From when on it is not accepted any more: a day, or a moment such as `"2027-01-31T12:00:00Z"`. Default: never.
    pub expires: Option<Located<String>>,
    /// The key that this one replaces, while its holder changes over. Default: none.
    pub previous: Option<Located<PreviousKey>>,
    /// Its usage plans, at most one for each route. Default none.
    pub usage_plans: Vec<Located<String>>,
}

/// A key that is replaced.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviousKey {
    /// SHA-256 of the key, 64 hexadecimal digits. Required.
    pub sha256: Option<Located<String>>,
    /// From when on it is not accepted any more. Required.
    pub until: Option<Located<String>>,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            name: None,
            sha256: None,
            enabled: true,
            description: None,
            expires: None,
            previous: None,
            usage_plans: Vec::new(),
        }
    }
}
