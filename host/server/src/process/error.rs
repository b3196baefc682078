//! Why the gateway does not start, or a reload is not published.

use std::io;

use gatewright_config::ConfigErrors;
use gatewright_wasm::PluginError;

/// Why the gateway does not start, or a reload is not published. One message each, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes, or names files or addresses that cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// The plugin engine cannot be started, or a plugin not loaded.
    #[error("{0}")]
    Plugins(#[from] PluginError),
    /// The system refuses threads or file descriptors.
    #[error("cannot start: {}", gatewright_config::reason(.0))]
    System(#[from] io::Error),
}

impl StartError {
    /// Whether a plugin refuses what the configuration says to it.
    pub fn is_refused_configuration(&self) -> bool {
        matches!(self, Self::Config(errors) if errors.errors.iter().any(|error| error.key.ends_with(".config")))
    }
}
