//! What every plugin has, whatever its kinds: a description and a configuration.

use crate::{ConfigError, Info};

/// The type that holds a plugin's configuration. One value lives as long as the instance it was configured in.
pub trait Plugin: Sized + 'static {
    /// Describes the plugin. Runs once, when the file appears in the plugin folder, in an instance of its own and
    /// before `configure`. It must not panic, wait or depend on anything.
    fn info() -> Info;

    /// Makes the plugin from the `config` table of one use of it, given as a JSON text (`{}` when there is none).
    /// Runs once per instance before any hook, and once at load to validate. With the `json` feature,
    /// [`config::parse`](crate::config::parse) reads it into a type.
    ///
    /// The gateway may copy the instance right after this call, so nothing that must differ per instance (seeds,
    /// the time) may be kept here.
    ///
    /// # Errors
    /// All that is wrong, at once. At load the gateway shows it to the operator and goes on with what served before.
    fn configure(config: &str) -> Result<Self, Vec<ConfigError>>;
}
