//! `[plugin.NAME.candidate]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Percent, Timeout};

/// A new version on trial: `NAME.next.wasm` beside `NAME.wasm`.
///
/// ```toml
/// [plugin.tenant-authorizer.candidate]
/// mode = "canary"
/// percent = 5
/// slow_after = "20ms"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Candidate {
    /// `"shadow"` (default): it is asked beside the version that serves, and what it answers is compared and not used;
    /// `"canary"`: it serves its share of the requests.
    pub mode: CandidateMode,
    /// Its share of the requests, in percent. Default 5.
    pub percent: Percent,
    /// What the share is made of: `"request"` (default), or `"client"`: all requests of a client's address get the same
    /// version.
    pub by: CandidateShare,
    /// It is rolled back when more of 100 calls than this fail: traps, timeouts, faults, refused answers. Default 0.
    pub failures: Percent,
    /// A call that takes longer is slow. Default: none is.
    pub slow_after: Option<Timeout>,
    /// It is rolled back when more of 100 calls than this are slow. Default 10.
    pub slow: Percent,
    /// A shadow is rolled back when more of 100 decisions than this are other ones. Default: they are counted only.
    pub differences: Option<Percent>,
    /// Calls of a shadow at once; more are left out. Default 4.
    pub concurrency: Count,
}

impl Default for Candidate {
    fn default() -> Self {
        Self {
            mode: CandidateMode::default(),
            percent: Percent(5),
            by: CandidateShare::default(),
            failures: Percent(0),
            slow_after: None,
            slow: Percent(10),
            differences: None,
            concurrency: Count(4),
        }
    }
}

/// What a candidate may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateMode {
    /// Be asked.
    #[default]
    Shadow,
    /// Serve.
    Canary,
}

/// What its share is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateShare {
    /// Single requests.
    #[default]
    Request,
    /// Clients, by address.
    Client,
}
