//! `gatewright check`: everything that a start would do, short of listening.

use std::path::Path;
use std::sync::Arc;

use gatewright_config::{AccessLogConfig, AccessLogOutput, GatewayConfig, ResponseCacheConfig};
use gatewright_wasm::Compiler;

use super::StartError;
use super::foundation::foundation;
use crate::admin::AdminError;
use crate::assemble::{Generation, assemble};
use crate::explain::Explaining;
use crate::listener::Settings;
use crate::secret;
use crate::telemetry::Metrics;

/// Checks a configuration file and, unless `file_only`, everything that it names. Opens no listener. What it would serve,
/// as far as it was looked at.
///
/// # Errors
/// Everything that is wrong with the file, or the first thing that is wrong with what it names.
pub fn check(file: &Path, file_only: bool, compiler: &Compiler) -> Result<Option<Generation>, StartError> {
    let config = gatewright_config::load(file)?;
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
    let config = GatewayConfig {
        access_log: AccessLogConfig {
            output: AccessLogOutput::Off,
        },
        // The folder is a running gateway's.
        response_cache: ResponseCacheConfig {
            disk: None,
            ..config.response_cache
        },
        ..config
    };
    let foundation = foundation(file, &config, &metrics, 1, compiler)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(assemble(config, 1, &foundation, None))
        .map(|(_, generation)| Some(generation))
        .map_err(|error| StartError::assemble(file, error))
}
