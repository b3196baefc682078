//! Why the gateway does not start, or a reload is not published.

use std::io;
use std::path::{Path, PathBuf};

use gatewright_config::ConfigErrors;
use gatewright_wasm::PluginError;

use crate::admin::AdminError;
use crate::approval::LockError;
use crate::assemble::AssembleError;
use crate::cache::disk::DiskError;
use crate::listener::tls::TlsError;
use crate::state::opening::OpenError;
use crate::state::snapshot::SnapshotError;
use crate::token::issuers::KeysError;

/// Why the gateway does not start, or a reload is not published. One message each, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes, or names files that cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// Something that the configuration names cannot be made.
    #[error("{}{}: {source}", file.display(), source.line().map(|line| format!(":{line}")).unwrap_or_default())]
    Assemble {
        /// The configuration file.
        file: PathBuf,
        /// Why.
        source: Box<AssembleError>,
    },
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
        matches!(self, Self::Assemble { source, .. } if matches!(**source, AssembleError::Plugin { .. }))
    }

    /// A listener of the configuration `file` cannot speak TLS.
    pub(super) fn tls(file: &Path, error: &TlsError) -> Self {
        Self::Config(error.place().mistake(file, error))
    }

    /// What `[redis]` of the configuration `file` names cannot be used.
    pub(super) fn state(file: &Path, error: &OpenError) -> Self {
        Self::Config(error.place().mistake(file, error))
    }

    /// The folder for responses that the configuration `file` names cannot be used.
    pub(super) fn disk(file: &Path, error: &DiskError) -> Self {
        Self::Config(error.place().mistake(file, error))
    }

    /// What the configuration `file` means cannot be made.
    pub(super) fn assemble(file: &Path, error: AssembleError) -> Self {
        match error {
            AssembleError::Upstream(error) => Self::Config(error.place().mistake(file, &error)),
            AssembleError::Tokens {
                source: KeysError::Setup(error),
                ..
            } => Self::Config(error.place().mistake(file, &error)),
            AssembleError::Tokens {
                source: KeysError::Secret { ref place, .. } | KeysError::Short(ref place),
                ..
            } => Self::Config(place.mistake(file, &error)),
            AssembleError::Lock(LockError::Wrong(errors)) => Self::Config(errors),
            AssembleError::Secret { ref place, .. } => Self::Config(place.mistake(file, &error)),
            error => Self::Assemble {
                file: file.to_owned(),
                source: Box::new(error),
            },
        }
    }
}
