//! What can be found wrong with what a configuration names, without making anything of it.

use gatewright_config::{AdminConfig, ConfigError, GatewayConfig};

use crate::admin::AdminError;
use crate::explain::Explaining;
use crate::listener::Settings;
use crate::secret;

/// Reads certificates and keys of the listeners, and the secrets of the admin address.
pub(super) fn examine(config: &GatewayConfig) -> Vec<ConfigError> {
    let listeners = config.listeners.iter();
    let listeners = listeners.filter_map(|(name, listener)| Settings::new(name, listener).err());
    let mut mistakes: Vec<_> = listeners.map(|error| error.mistake()).collect();
    if let Some(admin) = &config.admin {
        mistakes.extend(secrets(admin));
    }
    mistakes
}

fn secrets(admin: &AdminConfig) -> impl Iterator<Item = ConfigError> {
    let token = admin
        .token
        .as_ref()
        .and_then(|token| secret::read(&token.reference).err());
    let explaining = Explaining::live(Some(admin), &Default::default()).err();
    let errors = token.map(AdminError::Token).into_iter().chain(explaining);
    errors.map(|error| error.mistake(admin))
}
