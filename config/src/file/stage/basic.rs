//! `{ use = "basic", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located};
use crate::units::Rate;

/// Lets users pass that send their name and password (HTTP Basic authentication, RFC 7617).
///
/// ```toml
/// { use = "basic", users = "users.htpasswd", realm = "orders" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "users"]))]
pub struct BasicStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "basic"))]
    pub stage: Option<String>,
    /// File of users: a name, a colon and a hash of bcrypt or argon2id a line. Required.
    #[schemars(required)]
    pub users: Option<Located<String>>,
    /// What users are told that the password is for. Default `"gateway"`.
    pub realm: Located<String>,
    /// How long a password that was right is not hashed again, at most an hour. Default `"5m"`.
    pub remember: Located<Delay>,
    /// Passwords that are tried for one client address (429 above), and ten times as many for one user.
    /// Default `"30/m"`.
    pub attempts: Rate,
    /// Whether `Authorization` goes on to the upstream. Default false.
    pub forward: bool,
}

impl Default for BasicStage {
    fn default() -> Self {
        Self {
            stage: None,
            users: None,
            realm: "gateway".to_owned().into(),
            remember: Delay(std::time::Duration::from_secs(300)).into(),
            attempts: Rate {
                tokens: 30,
                per: std::time::Duration::from_secs(60),
            },
            forward: false,
        }
    }
}
