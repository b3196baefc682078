//! `{ use = "oidc-login", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClientAuthentication;
use crate::file::{Delay, Located, Scope, Settings};
use crate::units::ByteSize;

/// Logs people in with a browser at an OpenID provider, and lets them pass with the session that they get.
///
/// ```toml
/// { use = "oidc-login", issuer = "https://idp.example.com", client_id = "gateway", client_secret = "env:CLIENT_SECRET", cookie_secrets = ["file:cookie-secret"] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "issuer", "client_id", "cookie_secrets"]))]
pub struct OidcLoginStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "oidc-login"))]
    pub stage: Option<String>,
    /// Who knows the people; its metadata say where they log in. Required.
    #[schemars(required)]
    pub issuer: Option<Located<String>>,
    /// URL of the issuer's metadata, where they are not below `issuer` or name another issuer. Default:
    /// `/.well-known/openid-configuration` below `issuer`.
    pub discovery: Option<Located<String>>,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<Located<String>>,
    /// As whom the gateway asks. Required.
    #[schemars(required)]
    pub client_id: Option<Located<String>>,
    /// The secret of that client: `"env:NAME"` or `"file:PATH"`. Default: it has none (a public client).
    pub client_secret: Option<Located<String>>,
    /// How it says so: `"basic"` (default), in a header field, or `"post"`, in the form.
    pub authentication: ClientAuthentication,
    /// Secrets of 32 bytes or more that protect the cookies: the first is used, the others are known from before. Required.
    #[schemars(required)]
    pub cookie_secrets: Option<Located<Vec<Located<String>>>>,
    /// The session's cookie. Default `"gatewright-session"`.
    pub cookie: Located<String>,
    /// Domain whose hosts all get the cookie. Default: only the host that set it.
    pub cookie_domain: Option<Located<String>>,
    /// Where the provider sends browsers back to: a path, or a URL where the gateway cannot know its own. It must be registered
    /// with the provider. Default `"/oauth2/callback"`.
    pub callback: Located<String>,
    /// Path that ends the session, here and at the provider. Default: there is none.
    pub logout: Option<Located<String>>,
    /// Where a browser goes after that: a path, or a URL. Default `"/"`.
    pub after_logout: Located<String>,
    /// What is asked for besides `openid`. Default `[]`.
    pub scopes: Vec<Located<String>>,
    /// More parameters of the request for a login, such as `prompt`. Default `{}`.
    pub parameters: Located<BTreeMap<String, String>>,
    /// Whether the provider is asked for more about the person (userinfo). Default false.
    pub userinfo: bool,
    /// How long one login is good for, at most 30 days. Default `"8h"`.
    pub session: Located<Delay>,
    /// Who keeps sessions: `"cookie"` (default), browsers; `"state"`, the state engine, and browsers a name.
    pub sessions: SessionsIn,
    /// With `sessions = "state"`: bytes that all sessions may take together. Default `"64MiB"`.
    pub session_bytes: Located<ByteSize>,
    /// Who renews a session once, and knows those that the state engine keeps: `"instance"` (default), this gateway;
    /// `"cluster"`, all gateways with the same `[redis]`.
    pub scope: Located<Scope>,
    /// What becomes of a request without a session: `"login"` (default) sends browsers to the provider and refuses others, `"deny"`
    /// refuses all, `"allow"` lets them pass as nobody.
    pub on_unauthenticated: Unauthenticated,
    /// What must be said of the person: a value, or a list of those that are good. Default `{}`.
    pub claims: Located<Settings>,
    /// What says who the person is. Default `"sub"`.
    pub principal: Located<String>,
    /// How far the provider's clock may be off, at most five minutes. Default `"30s"`.
    pub leeway: Located<Delay>,
    /// What the upstream gets in `authorization`: `"nothing"` (default) leaves the field alone, `"access-token"` or `"id-token"`.
    pub forward: ForwardedToken,
}

impl Default for OidcLoginStage {
    fn default() -> Self {
        let text = |text: &str| Located::from(text.to_owned());
        let seconds = |seconds| Delay(std::time::Duration::from_secs(seconds)).into();
        Self {
            stage: None,
            issuer: None,
            discovery: None,
            ca: None,
            client_id: None,
            client_secret: None,
            authentication: ClientAuthentication::default(),
            cookie_secrets: None,
            cookie: text("gatewright-session"),
            cookie_domain: None,
            callback: text("/oauth2/callback"),
            logout: None,
            after_logout: text("/"),
            scopes: Vec::new(),
            parameters: Located::default(),
            userinfo: false,
            session: seconds(8 * 3600),
            sessions: SessionsIn::default(),
            session_bytes: ByteSize(64 << 20).into(),
            scope: Located::default(),
            on_unauthenticated: Unauthenticated::default(),
            claims: Located::default(),
            principal: text("sub"),
            leeway: seconds(30),
            forward: ForwardedToken::default(),
        }
    }
}

/// What becomes of a request without a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unauthenticated {
    /// Browsers are sent to the provider, others are refused.
    #[default]
    Login,
    /// It is refused.
    Deny,
    /// It passes as nobody's.
    Allow,
}

/// Who keeps sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionsIn {
    /// Browsers, in cookies that only a gateway with the secret can read.
    #[default]
    Cookie,
    /// The state engine; browsers keep a name.
    State,
}

/// What the upstream gets in `authorization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedToken {
    /// What the client sent.
    #[default]
    Nothing,
    /// The access token.
    AccessToken,
    /// The ID token.
    IdToken,
}
