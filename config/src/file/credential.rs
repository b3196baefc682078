//! `[[credential]]` of a file of access keys.

use serde::Deserialize;

use super::Located;

/// One access key, with which requests are signed.
///
/// ```toml
/// [[credential]]
/// access_key_id = "AKIDPARTNERA"
/// principal = "partner-a"
/// secret = "env:PARTNER_A_SECRET"
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credential {
    /// What requests name it by. Required.
    pub access_key_id: Option<Located<String>>,
    /// Who it stands for: the principal in logs, throttles and plugins. Several keys may stand for one. Required.
    pub principal: Option<Located<String>>,
    /// The secret access key: `"env:NAME"` or `"file:PATH"`. Required.
    pub secret: Option<Located<String>>,
    /// The session token that requests must have with it: `"env:NAME"` or `"file:PATH"`. Default: they have none.
    pub session_token: Option<Located<String>>,
    /// Whether it is accepted. Default `true`.
    pub enabled: bool,
}

impl Default for Credential {
    fn default() -> Self {
        Self {
            access_key_id: None,
            principal: None,
            secret: None,
            session_token: None,
            enabled: true,
        }
    }
}
