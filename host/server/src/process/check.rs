//! `gatewright check`: everything that a start would do, short of listening.

use std::path::Path;
use std::sync::Arc;

use gatewright_config::{ConfigError, load_all};
use gatewright_wasm::Compiling;

use super::StartError;
use super::examine::examine;
use super::foundation::{Purpose, foundation, without_traces};
use crate::assemble::{Generation, assemble};
use crate::telemetry::Metrics;
use crate::warnings;

/// How much is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thoroughness {
    /// The file alone, not what it names.
    pub file_only: bool,
    /// Plugins may send requests and use what gateways share while they check their configuration.
    pub online: bool,
}

/// A configuration that was found good.
pub struct Checked {
    /// What it would serve, where more than the file was looked at.
    pub generation: Option<Generation>,
    /// What serves, and is probably not what was meant.
    pub warnings: Vec<ConfigError>,
}

/// Checks a configuration file and, unless told otherwise, everything that it names. Opens no listener, and leaves nothing
/// behind.
///
/// # Errors
/// Everything that is wrong with the file, or everything that is wrong with what it names.
pub fn check(file: &Path, thoroughness: Thoroughness, compiler: &Compiling) -> Result<Checked, StartError> {
    let loaded = load_all(file);
    let (config, mut warnings) = (loaded.config?, loaded.warnings);
    let Thoroughness { file_only, online } = thoroughness;
    if file_only {
        return Ok(Checked {
            generation: None,
            warnings,
        });
    }
    warnings.extend(warnings::of(&config));
    let mut mistakes = examine(&config);
    let metrics = Arc::new(Metrics::default());
    let config = without_traces(config);
    let purpose = Purpose::Looking { online };
    let foundation = foundation(purpose, &config, &metrics, 1, compiler, &mut mistakes)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let assembled = runtime.block_on(assemble(config, 1, &foundation, None, mistakes));
    let (_, generation) = assembled?;
    warnings.extend(warnings::unset(&generation));
    Ok(Checked {
        generation: Some(generation),
        warnings,
    })
}
