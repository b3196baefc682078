//! The stage in the place of a plugin that could not be loaded: it refuses, so that nobody passes unchecked.

use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step};

/// Refuses every request, because the plugin that should look at it is not there.
pub struct Unavailable {
    plugin: String,
}

impl Stage for Unavailable {
    fn name(&self) -> &str {
        &self.plugin
    }

    fn on_request<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        Step::ready(Err(missing(&self.plugin)))
    }
}

impl Unavailable {
    /// In the place of that plugin.
    pub fn new(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
        }
    }
}

/// What exchanges fail with whose plugin is missing.
pub fn missing(plugin: &str) -> Problem {
    Problem::new(ProblemKind::PluginUnavailable)
        .with_cause(format_args!("plugin {plugin} is not loaded"))
        .with_retry_after(std::time::Duration::from_secs(5))
}
