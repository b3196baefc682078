//! What an operator can configure.

use gatewright_sdk::prelude::*;
use serde::Deserialize;

/// The `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Key of the HMAC. In the configuration for the sake of the lesson: a plugin for production reads it through
    /// `secrets::get`, where the operator grants it by name and may rotate it.
    pub(crate) secret: String,
    /// What `iss` must be.
    pub(crate) issuer: String,
    /// What `aud` must be or contain.
    pub(crate) audience: Option<String>,
    /// How far clocks may be apart.
    #[serde(default = "default_leeway_seconds")]
    pub(crate) leeway_seconds: u32,
    /// Claims handed on.
    #[serde(default = "default_context")]
    pub(crate) context: Vec<String>,
}

/// RFC 7518, 3.2: a key of the size of the hash or larger.
const SHORTEST_SECRET_BYTES: usize = 32;

/// An expired token should not live on for long.
const LONGEST_LEEWAY_SECONDS: u32 = 300;

pub(crate) fn read(config: &str) -> Result<Settings, Vec<ConfigError>> {
    let settings: Settings = config::parse(config)?;
    let mut errors = Vec::new();
    if settings.secret.len() < SHORTEST_SECRET_BYTES {
        errors.push(ConfigError::new("/secret", "shorter than 32 bytes"));
    }
    if settings.issuer.is_empty() {
        errors.push(ConfigError::new("/issuer", "empty"));
    }
    if settings.leeway_seconds > LONGEST_LEEWAY_SECONDS {
        errors.push(ConfigError::new("/leeway_seconds", "more than 300 seconds"));
    }
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

fn default_leeway_seconds() -> u32 {
    30
}

fn default_context() -> Vec<String> {
    vec!["tenant".to_owned(), "scope".to_owned()]
}
