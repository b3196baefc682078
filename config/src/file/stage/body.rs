//! `{ use = "body", … }`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Located, Settings};
use crate::units::ByteSize;

/// Makes bodies of requests and responses anew, from templates.
///
/// ```toml
/// { use = "body", request = { template = '{"user": {{ request.body.name }}, "by": {{ attributes.auth.principal }}}' } }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use"]))]
pub struct BodyStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "body"))]
    pub stage: Option<String>,
    /// The request's new body. Default: as it is.
    pub request: Option<Located<BodyTemplate>>,
    /// The response's new body. Default: as it is.
    pub response: Option<Located<BodyTemplate>>,
    /// Statuses of the responses that get a new body: `"200"`, or `"2xx"` for all of a class. Default `["2xx"]`.
    pub statuses: Vec<Located<String>>,
    /// Values for templates: `variables.NAME`. Default `{}`.
    pub variables: Settings,
    /// The longest body that a template reads (413 for a request's, 502 for a response's). Default `"1MiB"`.
    pub body: ByteSize,
    /// The longest that it makes (500 above). Default `"1MiB"`.
    pub output: ByteSize,
}

impl Default for BodyStage {
    fn default() -> Self {
        Self {
            stage: None,
            request: None,
            response: None,
            statuses: vec!["2xx".to_owned().into()],
            variables: Settings::default(),
            body: ByteSize(1 << 20),
            output: ByteSize(1 << 20),
        }
    }
}

/// A template of a body, in the language of Jinja.
///
/// ```toml
/// { file = "order.json.j2", content_type = "application/json" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BodyTemplate {
    /// The template. Default: none, and then there is a `file`.
    pub template: Option<Located<String>>,
    /// The file of the template. Default: none, and then there is a `template`.
    pub file: Option<Located<String>>,
    /// The content type of what it makes, by which values are escaped. Default `"application/json"`.
    pub content_type: Located<String>,
}

impl Default for BodyTemplate {
    fn default() -> Self {
        Self {
            template: None,
            file: None,
            content_type: "application/json".to_owned().into(),
        }
    }
}
