//! `[admin]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::Located;

/// The admin address: health, metrics and inspection. On loopback unless the file says otherwise.
///
/// ```toml
/// [admin]
/// address = "0.0.0.0:9901"
/// token = "env:ADMIN_TOKEN"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Whether there is an admin address. Default `true`.
    pub enabled: bool,
    /// Where it listens. Default `"127.0.0.1:9901"`.
    pub address: Located<String>,
    /// Bearer token, by reference: `"env:NAME"` or `"file:PATH"`. Needed when the address is not loopback.
    pub token: Option<Located<String>>,
    /// Key, by reference, of at least 16 bytes. Whoever has it can have a live request explained: `gatewright explain
    /// --sign` makes the header field, `GET /explanations/ID` shows what came of it. Without a key nobody can.
    pub explain_key: Option<Located<String>>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            enabled: true,
            address: "127.0.0.1:9901".to_owned().into(),
            token: None,
            explain_key: None,
        }
    }
}
