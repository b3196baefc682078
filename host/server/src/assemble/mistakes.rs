//! Why a configuration cannot serve: everything that cannot be made of it, each where it says so.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use gatewright_config::{ConfigError, ConfigErrors, FileReference, Place};
use gatewright_wasm::PluginError;

use crate::approval::LockError;
use crate::plan::Impossible;
use crate::router::RouterError;
use crate::secret::SecretError;
use crate::token::issuers::KeysError;
use crate::upstream::connect::SetupError;
use crate::words::Unusable;

/// What to do about a plugin that is not what it should be.
pub(super) const ABOUT_PLUGINS: &str =
    "`gatewright plugin inspect` shows what is in its file, and `gatewright plugin test` runs its cases";

/// Nobody reads more.
const MOST: usize = 100;

/// The mistakes that have been found so far.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<ConfigError>);

impl From<Vec<ConfigError>> for Mistakes {
    fn from(found: Vec<ConfigError>) -> Self {
        Self(found)
    }
}

impl Mistakes {
    /// What has been made; or nothing, and one mistake more.
    pub fn keep<T>(&mut self, made: Result<T, AssembleError>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(error) => {
                self.add(error);
                None
            }
        }
    }

    /// One mistake more.
    pub fn add(&mut self, error: AssembleError) {
        self.0.extend(error.mistakes());
    }

    /// Nothing, if there are none.
    ///
    /// # Errors
    /// The mistakes, each of them once, in the order of each file.
    pub fn none(self) -> Result<(), ConfigErrors> {
        let mut seen = HashSet::new();
        let mut errors = self.0;
        errors.retain(|error| seen.insert(error.to_string()));
        let mut files = HashMap::new();
        for error in &errors {
            let next = files.len();
            files.entry(error.file.clone()).or_insert(next);
        }
        errors.sort_by_key(|error| (files.get(&error.file).copied(), error.line, error.column));
        errors.truncate(MOST);
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors { errors }),
        }
    }
}

/// One thing that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A plugin cannot be loaded, or refuses its configuration.
    #[error("route `{route}`: {source}")]
    Plugin {
        /// Where it is used.
        place: Place,
        /// The route.
        route: String,
        /// Why.
        source: Box<PluginError>,
    },
    /// Something that the route names is not there, or is not what it should be.
    #[error("route `{route}`: {reason}")]
    Missing {
        /// Where it is named.
        place: Place,
        /// The route.
        route: String,
        /// Why.
        reason: String,
        /// What to do, where the reason does not say it.
        hint: Option<&'static str>,
    },
    /// A stage cannot be made of what it is given.
    #[error("route `{route}`: a stage cannot be made")]
    Stage {
        /// Where it is.
        place: Place,
        /// The route.
        route: String,
        /// Everything that is wrong.
        reasons: Vec<Unusable>,
    },
    /// The chain cannot work, whatever comes.
    #[error("route `{route}`: {source}")]
    Chain {
        /// The route.
        route: String,
        /// Why.
        source: Impossible,
    },
    /// A file of keys, users or credentials has mistakes.
    #[error("route `{route}`: {source}")]
    Keys {
        /// The route.
        route: String,
        /// The file.
        file: FileReference,
        /// The mistakes.
        source: ConfigErrors,
    },
    /// There are no keys to verify tokens with.
    #[error("route `{route}`: {source}")]
    Tokens {
        /// Where the stage is.
        place: Place,
        /// The route.
        route: String,
        /// Why.
        source: Box<KeysError>,
    },
    /// A secret that is granted to a plugin cannot be read.
    #[error("cannot grant it to plugin `{plugin}`: {source}")]
    Secret {
        /// The plugin.
        plugin: String,
        /// Where the configuration names it.
        place: Place,
        /// Why.
        source: SecretError,
    },
    /// The lock file cannot be compared with.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Upstream(Box<SetupError>),
    /// The router cannot take a route.
    #[error(transparent)]
    Router(#[from] RouterError),
    /// Something that it needs cannot be made, which has been said.
    #[error("it needs what cannot be made")]
    Consequence,
}

impl From<SetupError> for AssembleError {
    fn from(error: SetupError) -> Self {
        Self::Upstream(Box::new(error))
    }
}

impl AssembleError {
    /// What is wrong, where the configuration says it.
    fn mistakes(self) -> Vec<ConfigError> {
        let mistake = |place: &Place, error: &Self| vec![place.mistake(error)];
        match &self {
            Self::Consequence => Vec::new(),
            Self::Plugin { place, route, source } => plugin(place, route, source),
            Self::Missing { place, hint, .. } => vec![with_hint(place.mistake(&self), *hint)],
            Self::Stage { place, route, reasons } => {
                let mistake = |wrong: &Unusable| {
                    let place = wrong.place.as_ref().unwrap_or(place);
                    let mistake = place.mistake(format_args!("route `{route}`: {}", wrong.reason));
                    mistake.with_hint(&*wrong.hint)
                };
                reasons.iter().map(mistake).collect()
            }
            Self::Chain { source, .. } => mistake(&source.place, &self),
            Self::Keys { route, file, source } => match readable(&file.path) {
                Ok(()) => source.errors.clone(),
                Err(error) => {
                    let reason = gatewright_config::reason(&error);
                    let message = format!("route `{route}`: cannot read {}: {reason}", file.path.display());
                    vec![file.place.mistake(message).with_hint(gatewright_config::advice(&error))]
                }
            },
            Self::Tokens { place, source, .. } => {
                let place = source.place().unwrap_or(place);
                vec![with_hint(place.mistake(&self), source.hint())]
            }
            Self::Secret { place, source, .. } => vec![place.mistake(&self).with_hint(source.hint())],
            Self::Upstream(error) => vec![with_hint(error.place().mistake(error), error.hint())],
            Self::Lock(LockError::Wrong(errors)) => errors.errors.clone(),
            Self::Lock(LockError::Missing(config)) => {
                let hint = "run `gatewright plugin lock` to approve the plugins that are there";
                vec![config.place.key("lock").mistake(&self).with_hint(hint)]
            }
            Self::Lock(LockError::Gone(config)) => {
                let hint = "put it back, or set `lock = \"off\"` if plugins need no approval any more";
                vec![config.place.key("lock").mistake(&self).with_hint(hint)]
            }
            Self::Router(_) => vec![Place::nowhere().mistake(&self)],
        }
    }
}

/// A plugin says of its configuration everything that is wrong.
fn plugin(place: &Place, route: &str, error: &PluginError) -> Vec<ConfigError> {
    match error {
        PluginError::Config { plugin, errors } => {
            let place = place.key("config");
            const SCHEMA: &str = "`gatewright plugin inspect` shows the schema of its configuration";
            let mistake = |fault| {
                let mistake = place.mistake(format_args!("route `{route}`: cannot configure {plugin}: {fault}"));
                mistake.with_hint(SCHEMA)
            };
            errors.iter().map(mistake).collect()
        }
        PluginError::Configure { .. } => {
            let mistake = place.key("config").mistake(format_args!("route `{route}`: {error}"));
            vec![mistake.with_hint("the plugin refuses it itself: its documentation says what it takes")]
        }
        error => vec![
            place
                .mistake(format_args!("route `{route}`: {error}"))
                .with_hint(ABOUT_PLUGINS),
        ],
    }
}

/// Whether a file can be read. A folder can be opened, and no more.
fn readable(file: &Path) -> io::Result<()> {
    File::open(file)?.read(&mut [0]).map(drop)
}

fn with_hint(error: ConfigError, hint: Option<&str>) -> ConfigError {
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
