//! Calendar periods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A calendar period, by UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// From minute 0.
    Hour,
    /// From midnight.
    Day,
    /// From Sunday.
    Week,
    /// From the first day.
    Month,
}
