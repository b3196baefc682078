//! `[[route]]`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Chain, Integration, Located, Predicate, Timeout};
use crate::units::ByteSize;

/// What is served: a matching condition, a chain, and what answers.
///
/// ```toml
/// [[route]]
/// name = "user-by-id"
/// path = "/users/{id}"
/// methods = ["GET"]
/// chain = ["protected"]
/// integration = { http = "users" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "path", "integration"]))]
pub struct Route {
    /// Unique name of 1 to 64 lower-case letters, digits, `-` and `_`. Required.
    #[schemars(required, regex(pattern = "^[a-z0-9_-]{1,64}$"))]
    pub name: Option<Located<String>>,
    /// Path: `/users/{id}` captures a segment, `/files/{rest+}` all that follow, `/api/{rest*}` itself too. Required.
    #[schemars(required)]
    pub path: Option<Located<String>>,
    /// Hosts: `"api.example.com"`, `"*.example.com"`. Default `[]`: any.
    pub hosts: Vec<Located<String>>,
    /// Methods, in upper case. Default `[]`: any.
    pub methods: Vec<Located<String>>,
    /// Listeners that serve it. Default `[]`: all.
    pub listeners: Vec<Located<String>>,
    /// Header fields that must be there: a value, or `true` for any. Default `{}`.
    pub headers: BTreeMap<String, Located<Predicate>>,
    /// Query parameters that must be there: a value, or `true` for any. Default `{}`.
    pub query: BTreeMap<String, Located<Predicate>>,
    /// Stages in order: names of chains, built-in stages and plugins. Default `[]`.
    pub chain: Chain,
    /// What answers. Required.
    #[schemars(required)]
    pub integration: Option<Located<Integration>>,
    /// From the end of the request's header section to the end of the response's (504). The time in which the gateway waits for
    /// the client's body is not part of it. Default `"29s"`.
    pub timeout: Timeout,
    /// Largest request body (413 above). Default: the listener's limit.
    pub body: Option<ByteSize>,
    /// What becomes of an encoded slash, `%2F`, in the path: `"refuse"` (400, default), `"keep"` or `"decode"`.
    pub encoded_slash: Encoded,
    /// What becomes of what is percent-encoded twice, such as `%252e`, in the path: `"refuse"` (400, default), `"keep"` or
    /// `"decode"`.
    pub encoded_percent: Encoded,
}

/// What becomes of percent-encoding that servers read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoded {
    /// The request is refused (400).
    #[default]
    Refuse,
    /// It stays as it is.
    Keep,
    /// It is what it stands for.
    Decode,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            name: None,
            path: None,
            hosts: Vec::new(),
            methods: Vec::new(),
            listeners: Vec::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            chain: Chain::default(),
            integration: None,
            timeout: Timeout::seconds(29),
            body: None,
            encoded_slash: Encoded::default(),
            encoded_percent: Encoded::default(),
        }
    }
}
