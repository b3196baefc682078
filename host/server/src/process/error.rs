//! Why the gateway does not start, or a reload is not published.

use std::io;

use gatewright_config::ConfigErrors;
use gatewright_wasm::PluginError;

use crate::admin::AdminError;
use crate::state::snapshot::SnapshotError;

/// Why the gateway does not start, or a reload is not published. One message each, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes, or names files that cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// A listener's address cannot be listened on.
    #[error("listener `{listener}`: cannot listen on {address}: {source}")]
    Bind {
        /// The listener.
        listener: String,
        /// Its address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The plugin engine cannot be started, or a plugin not loaded.
    #[error("{0}")]
    Plugins(#[from] PluginError),
    /// The access log cannot be opened.
    #[error("access_log.output: cannot open {output}: {source}")]
    AccessLog {
        /// Where it should go.
        output: String,
        /// Why.
        source: io::Error,
    },
    /// What was spent of quotas cannot be kept.
    #[error("state.snapshot: {0}")]
    Snapshot(#[from] SnapshotError),
    /// The admin address cannot be served.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The system refuses threads or file descriptors.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// Whether a plugin refuses what the configuration says to it.
    pub fn is_refused_configuration(&self) -> bool {
        matches!(self, Self::Config(errors) if errors.errors.iter().any(|error| error.key.ends_with(".config")))
    }
}
