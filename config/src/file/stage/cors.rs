//! `{ use = "cors", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Delay, Located};

/// Lets scripts of other origins read responses (the CORS protocol of the Fetch standard), and answers preflight requests.
///
/// ```toml
/// { use = "cors", origins = ["https://app.example.com", "https://*.example.org"], headers = ["content-type"], credentials = true }
/// ```
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "origins"]))]
pub struct CorsStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "cors"))]
    pub stage: Option<String>,
    /// Origins whose scripts may read: `"https://app.example.com"`, all under a domain with `"https://*.example.com"`, all at
    /// all with `"*"`, and `"null"` for documents that have none. Required.
    #[schemars(required, length(min = 1))]
    pub origins: Option<Located<Vec<Located<String>>>>,
    /// Methods that they may use. Default: those of the route, and of a route for all of them
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` and `DELETE`.
    pub methods: Option<Vec<Located<String>>>,
    /// Header fields that they may send besides those that are always allowed, or `["*"]` for whatever they ask for.
    /// Default `[]`.
    pub headers: Vec<Located<String>>,
    /// Header fields of responses that they may read besides those that are always allowed. Default `[]`.
    pub expose: Vec<Located<String>>,
    /// Whether they may send cookies, certificates and passwords of the user; not with `origins = ["*"]`. Default false.
    pub credentials: Located<bool>,
    /// How long browsers may keep the answer to a preflight request. Default: as they like, which is 5 seconds.
    pub max_age: Option<Delay>,
}
