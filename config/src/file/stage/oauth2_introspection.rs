//! `{ use = "oauth2-introspection", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::{Delay, Located, Settings};
use crate::units::ByteSize;

/// Lets requests with a token pass that an authorization server vouches for (RFC 7662).
///
/// ```toml
/// { use = "oauth2-introspection", issuer = "https://idp.example.com", client_id = "gateway", client_secret = "env:CLIENT_SECRET" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "client_id", "client_secret"]))]
pub struct Oauth2IntrospectionStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "oauth2-introspection"))]
    pub stage: Option<String>,
    /// Whose tokens they are; its metadata say where they are asked about, unless `endpoint` does. Where an answer says who
    /// issued a token, it must be this one.
    pub issuer: Option<Located<String>>,
    /// URL of the issuer's metadata, where they are not below `issuer` or name another issuer. Default:
    /// `/.well-known/openid-configuration` below `issuer`.
    pub discovery: Option<Located<String>>,
    /// Where tokens are asked about. Default: where the issuer says.
    pub endpoint: Option<Located<String>>,
    /// PEM file of certificate authorities instead of the system's.
    pub ca: Option<Located<String>>,
    /// As whom the gateway asks. Required.
    #[schemars(required)]
    pub client_id: Option<Located<String>>,
    /// The secret of that client: `"env:NAME"` or `"file:PATH"`. Required.
    #[schemars(required)]
    pub client_secret: Option<Located<String>>,
    /// How it says so: `"basic"` (default), in a header field, or `"post"`, in the form.
    pub authentication: ClientAuthentication,
    /// For whom the token must be: one of these in `aud`, or in `client_id` where there is no `aud`. Default: anybody for whom
    /// the authorization server says that it is good.
    pub audiences: Option<Located<Vec<Located<String>>>>,
    /// Scopes of which the token must have one at least. Default `[]`: none is needed.
    pub scopes: Vec<Located<String>>,
    /// What the answer must say: a value, or a list of those that are good. Default `{}`.
    pub claims: Located<Settings>,
    /// What in the answer says who the client is. Default: `sub`, or `client_id` where there is none.
    pub principal: Option<Located<String>>,
    /// How far the authorization server's clock may be off, at most five minutes. Default `"30s"`.
    pub leeway: Located<Delay>,
    /// Header field that carries the token. Default `"authorization"` with the scheme `Bearer`, when `query` and `cookie`
    /// are absent too.
    pub header: Option<Located<String>>,
    /// Authentication scheme before the token in the header field.
    pub scheme: Option<Located<String>>,
    /// Query parameter that carries the token; looked at after the header field.
    pub query: Option<Located<String>>,
    /// Cookie that carries the token; looked at last.
    pub cookie: Option<Located<String>>,
    /// Whether the upstream gets the token too. Default: in `authorization` only; other fields, parameters and cookies are for the
    /// gateway and end there.
    pub forward: Option<bool>,
    /// The longest token that is asked about. Default `"8KiB"`.
    pub token_bytes: ByteSize,
    /// How long an answer may be used again, and never beyond the token's end; at most an hour. Default `"30s"`.
    pub cache: Located<Delay>,
}

impl Default for Oauth2IntrospectionStage {
    fn default() -> Self {
        Self {
            stage: None,
            issuer: None,
            discovery: None,
            endpoint: None,
            ca: None,
            client_id: None,
            client_secret: None,
            authentication: ClientAuthentication::default(),
            audiences: None,
            scopes: Vec::new(),
            claims: Located::default(),
            principal: None,
            leeway: Delay(std::time::Duration::from_secs(30)).into(),
            header: None,
            scheme: None,
            query: None,
            cookie: None,
            forward: None,
            token_bytes: ByteSize(8 << 10),
            cache: Delay(std::time::Duration::from_secs(30)).into(),
        }
    }
}

/// How the gateway says to an authorization server who it is (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// In a header field.
    #[default]
    Basic,
    /// In the form that is sent.
    Post,
}
