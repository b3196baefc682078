//! `{ use = "lambda-authorizer", … }`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located, Timeout};

/// Asks a Lambda authorizer of Amazon API Gateway, by HTTP, as an emulator or the Invoke API offers it.
///
/// ```toml
/// { use = "lambda-authorizer", upstream = "lambda", path = "/2015-03-31/functions/auth/invocations", identity = ["header:authorization"] }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "upstream"]))]
pub struct LambdaAuthorizerStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "lambda-authorizer"))]
    pub stage: Option<String>,
    /// The upstream that decides: a name under `[upstream]`. Required.
    #[schemars(required)]
    pub upstream: Option<Located<String>>,
    /// Path and query to which events are posted. Default `"/"`.
    pub path: Located<String>,
    /// The event: `"token"`, `"request-1.0"` or `"request-2.0"`. Default `"request-2.0"`.
    pub event: AuthorizerEvent,
    /// What identifies a client: `"header:NAME"`, `"query:NAME"`, `"path:NAME"`, `"client"`. A request without one of them is 401, and
    /// nobody is asked. Default `["header:authorization"]`.
    pub identity: Vec<Located<String>>,
    /// A regular expression that the first of them must match; else 401, and nobody is asked. Default: none.
    pub validation: Option<Located<String>>,
    /// How long a decision is used for the same identity on the same route, at most an hour. Default `"0s"`: never.
    pub cache: Located<Delay>,
    /// How long a decision takes at most (500 above). Default `"10s"`.
    pub timeout: Timeout,
    /// The Region in ARNs. Default `"us-east-1"`.
    pub region: String,
    /// The account in ARNs. Default `"123456789012"`.
    pub account: String,
    /// The API in ARNs. Default `"gatewright"`.
    pub api: String,
    /// The stage in ARNs. Default `"$default"`.
    pub stage_name: String,
    /// The stage's variables. Default `{}`.
    pub stage_variables: BTreeMap<String, String>,
}

/// What a Lambda authorizer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub enum AuthorizerEvent {
    /// The token alone: `TOKEN` of REST APIs. `identity` is one header field.
    #[serde(rename = "token")]
    Token,
    /// The request: `REQUEST` of REST APIs, and payload 1.0 of HTTP APIs.
    #[serde(rename = "request-1.0")]
    Request1,
    /// The request: payload 2.0 of HTTP APIs.
    #[default]
    #[serde(rename = "request-2.0")]
    Request2,
}

impl Default for LambdaAuthorizerStage {
    fn default() -> Self {
        Self {
            stage: None,
            upstream: None,
            path: "/".to_owned().into(),
            event: AuthorizerEvent::default(),
            identity: vec!["header:authorization".to_owned().into()],
            validation: None,
            cache: Located::default(),
            timeout: Timeout(std::time::Duration::from_secs(10)),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            api: "gatewright".to_owned(),
            stage_name: "$default".to_owned(),
            stage_variables: BTreeMap::new(),
        }
    }
}
