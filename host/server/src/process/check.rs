//! `gatewright check`: everything that a start would do, short of listening.

use std::path::Path;
use std::sync::Arc;

use gatewright_wasm::Compiling;

use super::StartError;
use super::foundation::{Purpose, foundation, without_traces};
use crate::admin::AdminError;
use crate::assemble::{Generation, assemble};
use crate::explain::Explaining;
use crate::listener::Settings;
use crate::secret;
use crate::telemetry::Metrics;

/// How much is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thoroughness {
    /// The file alone, not what it names.
    pub file_only: bool,
    /// Plugins may send requests and use what gateways share while they check their configuration.
    pub online: bool,
}

/// Checks a configuration file and, unless told otherwise, everything that it names. Opens no listener, and leaves nothing
/// behind. What it would serve, as far as it was looked at.
///
/// # Errors
/// Everything that is wrong with the file, or the first thing that is wrong with what it names.
pub fn check(file: &Path, thoroughness: Thoroughness, compiler: &Compiling) -> Result<Option<Generation>, StartError> {
    let config = gatewright_config::load(file)?;
    let Thoroughness { file_only, online } = thoroughness;
    if file_only {
        return Ok(None);
    }
    for (name, listener) in &config.listeners {
        Settings::new(name, listener).map_err(|error| StartError::tls(file, &error))?;
    }
    if let Some(token) = config.admin.as_ref().and_then(|admin| admin.token.as_ref()) {
        secret::read(token).map_err(AdminError::from)?;
    }
    Explaining::live(config.admin.as_ref(), &Arc::default())?;
    let metrics = Arc::new(Metrics::default());
    let config = without_traces(config);
    let purpose = Purpose::Looking { online };
    let foundation = foundation(purpose, file, &config, &metrics, 1, compiler)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(assemble(config, 1, &foundation, None))
        .map(|(_, generation)| Some(generation))
        .map_err(|error| StartError::assemble(file, error))
}
