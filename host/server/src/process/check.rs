//! `gatewright check`: everything that a start would do, short of listening.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gatewright_config::{AccessLogOutput, ConfigError, GatewayConfig, load_all};
use gatewright_wasm::Compiling;

use super::StartError;
use super::examine::examine;
use super::foundation::{Purpose, foundation, without_traces};
use crate::assemble::{Generation, assemble};
use crate::telemetry::Metrics;
use crate::{warnings, words};

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
    mistakes.extend(in_the_way(&config));
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

/// Files and folders that are there where a start makes others, which a check does not open: they may be another user's.
fn in_the_way(config: &GatewayConfig) -> Vec<ConfigError> {
    let mut mistakes = Vec::new();
    if let AccessLogOutput::File(file) = &config.access_log.output
        && file.path.is_dir()
    {
        mistakes.push(words::unwritable(file, "open", &io::ErrorKind::IsADirectory.into()));
    }
    if let Some(disk) = &config.response_cache.disk
        && disk.directory.path.exists()
        && !disk.directory.path.is_dir()
    {
        let path = disk.directory.path.display();
        let mistake = disk.directory.place.mistake(format_args!("{path} is not a folder"));
        mistakes.push(mistake.with_hint("name a folder where this user may make files"));
    }
    mistakes
}
