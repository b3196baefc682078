//! `{ use = "shed", … }`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::{Count, Located, Timeout};

/// Refuses requests while the gateway answers too slowly, the less important ones first.
///
/// ```toml
/// { use = "shed", latency = "250ms", priority = "low" }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["use", "latency"]))]
pub struct ShedStage {
    /// The name of the stage. Required.
    #[serde(rename = "use")]
    #[schemars(required, extend("const" = "shed"))]
    pub stage: Option<String>,
    /// What responses may take to begin. While more than a tenth takes longer, fewer requests are let in at the same time.
    /// Required.
    #[schemars(required)]
    pub latency: Option<Timeout>,
    /// How important the requests are: `"low"`, `"normal"` (default) or `"high"`. The less important they are, the sooner they
    /// are refused.
    pub priority: Priority,
    /// Stages of the same group, in all routes, share what is let in. Default `"default"`.
    pub group: Located<String>,
    /// Requests that are let in at the same time at least, however slow responses are. Default 4.
    pub least: Count,
    /// And at most. Default 1000.
    pub most: Count,
}

/// How important a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// The first to be refused: it leaves half of the places to others.
    Low,
    /// It leaves a fifth of the places to others.
    #[default]
    Normal,
    /// The last to be refused.
    High,
}

impl Default for ShedStage {
    fn default() -> Self {
        Self {
            stage: None,
            latency: None,
            priority: Priority::default(),
            group: "default".to_owned().into(),
            least: Count(4),
            most: Count(1000),
        }
    }
}
