//! The integration in the place of a plugin that could not be loaded.

use gatewright_core::{Exchange, Integration, Problem, Response, Step};

use crate::stages::unavailable::missing;

/// Fails every exchange, because the plugin that should answer is not there.
pub struct Unavailable {
    plugin: String,
}

impl Integration for Unavailable {
    fn name(&self) -> &str {
        "plugin"
    }

    fn call<'a>(&'a self, _exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
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
