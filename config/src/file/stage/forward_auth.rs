//! `{ use = "forward-auth", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located, Timeout};

/// Asks an upstream whether a request may pass, as Traefik's `forwardAuth` and nginx's `auth_request` do.
///
/// ```toml
/// { use = "forward-auth", upstream = "authelia", path = "/api/authz/forward-auth", copy = ["remote-user", "remote-groups"] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "upstream"]))]
pub struct ForwardAuthStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "forward-auth"))]
    pub stage: Option<String>,
    /// The upstream that decides: a name under `[upstream]`. Required.
    #[schemars(required)]
    pub upstream: Option<Located<String>>,
    /// Path and query of the question. Default `"/"`.
    pub path: Located<String>,
    /// Method of the question. Default `"GET"`.
    pub method: Located<String>,
    /// Header fields of the request that go along. Default: all but those about its body.
    pub headers: Option<Vec<Located<String>>>,
    /// Header fields of an answer 2xx that the request gets in the place of its own. Default `[]`.
    pub copy: Vec<Located<String>>,
    /// Header fields of an answer 2xx that the client gets with the response. Default `["set-cookie"]`.
    pub to_client: Vec<Located<String>>,
    /// The header field of an answer 2xx that names the principal. Default: there is none.
    pub principal: Option<Located<String>>,
    /// How long a decision takes at most (500 above). Default `"5s"`.
    pub timeout: Timeout,
    /// How long an answer 2xx is good for the same question, at most an hour. Default `"0s"`: never.
    pub cache: Located<Delay>,
}

impl Default for ForwardAuthStage {
    fn default() -> Self {
        Self {
            stage: None,
            upstream: None,
            path: "/".to_owned().into(),
            method: "GET".to_owned().into(),
            headers: None,
            copy: Vec::new(),
            to_client: vec!["set-cookie".to_owned().into()],
            principal: None,
            timeout: Timeout(std::time::Duration::from_secs(5)),
            cache: Located::default(),
        }
    }
}
