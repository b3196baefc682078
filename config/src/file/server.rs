//! `[server]`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Delay, Located, Timeout};

/// The process as a whole.
///
/// ```toml
/// [server]
/// workers = 4
/// drain_delay = "5s"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Threads that serve requests, at most 1024; 0 (default) is one for each processor that the process may use.
    #[schemars(range(max = 1024))]
    pub workers: Located<usize>,
    /// After a stop signal: how long readiness is false while connections are still accepted. Default `"0s"`.
    pub drain_delay: Delay,
    /// After that: how long exchanges in flight may take to end. Default `"30s"`.
    pub drain_timeout: Delay,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: 0.into(),
            drain_delay: Delay::default(),
            drain_timeout: Delay(Timeout::seconds(30).0),
        }
    }
}
