//! Logins of people with browsers.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{FetchedKeysConfig, OauthClient, Scope, SecretSource, TokenRules};
use crate::file::{ForwardedToken, SessionsIn, Unauthenticated};
use crate::units::ByteSize;

/// `{ use = "oidc-login", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OidcLoginConfig {
    /// Where people log in, and the session that they get.
    pub login: LoginConfig,
    /// What their ID token must say.
    pub rules: TokenRules,
    /// Where browsers come back to.
    pub callback: Callback,
    /// Path that ends a session.
    pub logout: Option<String>,
    /// Where a browser goes after that: a path, or a URL.
    pub after_logout: String,
    /// What becomes of a request without a session.
    pub on_unauthenticated: Unauthenticated,
    /// What the upstream gets in `authorization`.
    pub forward: ForwardedToken,
}

/// Where people log in, and the session that they get. Stages that say the same share sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoginConfig {
    /// The provider's name: what its tokens must say (`iss`).
    pub issuer: String,
    /// The provider's keys, found by its metadata.
    pub keys: FetchedKeysConfig,
    /// What the gateway is to it.
    pub client: OauthClient,
    /// What is asked for, `openid` included.
    pub scopes: Vec<String>,
    /// More parameters of the request for a login.
    pub parameters: Vec<(String, String)>,
    /// How far its clock may be off.
    pub leeway: Duration,
    /// Whether the provider is asked for more about the person.
    pub userinfo: bool,
    /// Whether its access token is kept with the session, because somebody gets it.
    pub keep_access_token: bool,
    /// Where the session is kept.
    pub cookie: LoginCookie,
    /// How long one login is good for.
    pub session: Duration,
    /// Who keeps sessions.
    pub sessions: SessionsIn,
    /// Bytes of sessions that the state engine keeps.
    pub session_bytes: ByteSize,
    /// Which gateways renew a session once, and know the sessions that the state engine keeps.
    pub scope: Scope,
}

/// Where a session is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoginCookie {
    /// Name, without the prefix that tells browsers more.
    pub name: String,
    /// Domain whose hosts all get it; none for the host that set it.
    pub domain: Option<String>,
    /// What protects it: the first is used, the others are known from before. Never empty.
    pub secrets: Vec<SecretSource>,
}

/// Where a provider sends browsers back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Callback {
    /// `https://HOST[:PORT]`; none: that of the request.
    pub origin: Option<String>,
    /// Path in normal form.
    pub path: String,
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.as_deref().unwrap_or_default())?;
        f.write_str(&self.path)
    }
}
