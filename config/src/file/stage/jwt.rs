//! `{ use = "jwt", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located, Settings, Timeout};
use crate::units::ByteSize;

/// Lets requests with a JSON Web Token of an issuer pass.
///
/// ```toml
/// { use = "jwt", issuer = "https://idp.example.com", audiences = ["https://api.example.com"], scopes = ["orders.read"] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "audiences"]))]
pub struct JwtStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "jwt"))]
    pub stage: Option<String>,
    /// Who must have issued the token (`iss`), exactly as written. Without `jwks` its keys are found by OpenID Connect
    /// discovery.
    pub issuer: Option<Located<String>>,
    /// URL of the issuer's metadata, where they are not below `issuer` or name another issuer. Default:
    /// `/.well-known/openid-configuration` below `issuer`.
    pub discovery: Option<Located<String>>,
    /// Where the issuer's keys are: `"https://…"` or `"file:PATH"`. Default: where the issuer says.
    pub jwks: Option<Located<String>>,
    /// PEM file of certificate authorities instead of the system's, for fetching keys.
    pub ca: Option<Located<String>>,
    /// Algorithms of signatures that are accepted. Default: all that the gateway verifies.
    pub algorithms: Option<Located<Vec<Located<String>>>>,
    /// For whom the token must be: one of these in `aud`, or in `client_id` where there is no `aud`; `["*"]` for anybody.
    /// Required.
    #[schemars(required, length(min = 1))]
    pub audiences: Option<Located<Vec<Located<String>>>>,
    /// Scopes of which the token must have one at least, in `scope` or `scp`. Default `[]`: none is needed.
    pub scopes: Vec<Located<String>>,
    /// Claims that the token must have: a value, or a list of those that are good. Default `{}`.
    pub claims: Located<Settings>,
    /// The claim that says who the client is. Default `"sub"`.
    pub principal: Located<String>,
    /// How far the issuer's clock may be off, at most five minutes. Default `"30s"`.
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
    /// The longest token that is looked at. Default `"8KiB"`.
    pub token_bytes: ByteSize,
    /// How old keys become before they are fetched anew. Default `"10m"`.
    pub refresh: Located<Timeout>,
    /// How long the last good keys are used while no others can be fetched. Default `"1d"`.
    pub max_stale: Located<Timeout>,
    /// How long after a fetch for an unknown key another unknown key is no reason for a fetch. Default `"30s"`.
    pub cooldown: Timeout,
}

impl Default for JwtStage {
    fn default() -> Self {
        Self {
            stage: None,
            issuer: None,
            discovery: None,
            jwks: None,
            ca: None,
            algorithms: None,
            audiences: None,
            scopes: Vec::new(),
            claims: Located::default(),
            principal: "sub".to_owned().into(),
            leeway: Delay(std::time::Duration::from_secs(30)).into(),
            header: None,
            scheme: None,
            query: None,
            cookie: None,
            forward: None,
            token_bytes: ByteSize(8 << 10),
            refresh: Timeout::seconds(600).into(),
            max_stale: Timeout::seconds(24 * 3600).into(),
            cooldown: Timeout::seconds(30),
        }
    }
}
