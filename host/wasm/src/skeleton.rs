//! The public API while its inside is being built.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::gateway::{PluginConfig, PluginIntegrationConfig, PluginStageConfig};
use gatewright_core::{Integration, RouteName, Stage};

use crate::{PluginError, PluginFile};

/// Engine, linker, compiled-code store and metrics: one a process.
#[derive(Clone)]
pub struct PluginHost;

/// What a [`PluginHost`] is made of.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Directory of the compiled-code store.
    pub store: PathBuf,
    /// Instances alive at once, all plugins together.
    pub instances: u32,
    /// The largest plugin file that is read.
    pub file_bytes: u64,
    /// Worker threads that call plugins.
    pub workers: usize,
}

impl PluginHost {
    /// Starts the engine.
    pub fn new(_settings: HostSettings) -> Result<Self, PluginError> {
        Ok(Self)
    }

    /// Registers the metrics of all plugins.
    pub fn register_metrics(&self, _registry: &mut prometheus_client::registry::Registry) {}

    /// Loads a plugin.
    pub async fn load(&self, name: &str, file: &Path, _config: &PluginConfig) -> Result<Arc<Plugin>, PluginError> {
        Err(PluginError::Unreadable {
            plugin: PluginFile {
                name: name.to_owned(),
                file: file.to_owned(),
            },
            reason: "under construction".to_owned(),
        })
    }
}

/// A loaded plugin.
pub struct Plugin {
    summary: PluginSummary,
}

/// What a plugin is, for people and tools.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PluginSummary {
    /// Name in the configuration.
    pub name: String,
}

/// One use of a plugin in a route's chain.
#[derive(Clone, Copy, Debug)]
pub struct StageUse<'a> {
    /// What the file says.
    pub config: &'a PluginStageConfig,
    /// The route.
    pub route: &'a RouteName,
    /// Whether no stage after this one in the route's chain is an authorizer plugin: if it abstains too and none
    /// before it allowed, the exchange is denied.
    pub last_authorizer: bool,
}

impl Plugin {
    /// What it is.
    pub fn summary(&self) -> &PluginSummary {
        &self.summary
    }

    /// Whether it decides who may pass (the server computes `StageUse::last_authorizer` from it).
    pub fn is_authorizer(&self) -> bool {
        false
    }

    /// One stage of a route.
    pub async fn stage(self: &Arc<Self>, _use: StageUse<'_>) -> Result<Arc<dyn Stage>, PluginError> {
        Err(PluginError::Engine("under construction".to_owned()))
    }

    /// A route's integration.
    pub async fn integration(
        self: &Arc<Self>,
        _config: &PluginIntegrationConfig,
    ) -> Result<Arc<dyn Integration>, PluginError> {
        Err(PluginError::Engine("under construction".to_owned()))
    }

    /// Numbers of the running plugin.
    pub fn runtime_stats(&self) -> RuntimeStats {
        RuntimeStats {}
    }
}

/// Numbers of a running plugin, for the admin API.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RuntimeStats {}

/// Median cost of one fresh instantiation over `rounds` rounds, in nanoseconds.
pub async fn measure(_plugin: &Plugin, _rounds: usize) -> Result<Duration, PluginError> {
    Err(PluginError::Engine("under construction".to_owned()))
}
