//! Who shares what is kept, and what happens while those who share it cannot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who shares what is counted or kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The requests of one gateway.
    #[default]
    Instance,
    /// Those of all gateways that use the servers of `[redis]`.
    Cluster,
}

/// What a limit does while the servers of `[redis]` do not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenUnavailable {
    /// Each gateway counts for itself.
    #[default]
    Local,
    /// Nothing is limited.
    Open,
    /// What is limited is refused.
    Closed,
}

/// What a store of plugins does while the servers of `[redis]` do not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreUnavailable {
    /// Its operations fail, and say so.
    #[default]
    Closed,
    /// Each gateway keeps for itself, and forgets it when the servers answer again.
    Local,
}
