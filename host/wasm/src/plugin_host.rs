//! What all plugins of a process share, and how a plugin is loaded.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gatewright_config::gateway::PluginConfig;
use tokio::sync::Semaphore;

use crate::artifacts::{Artifacts, CodeStore};
use crate::compiler::CompileLimits;
use crate::compiling::{Budget, Compiling};
use crate::decision_cache::DecisionCache;
use crate::digest::Digest;
use crate::granted::Granted;
use crate::leases::Leases;
use crate::loading::Source;
use crate::machine::Machines;
use crate::metrics::{HostMetrics, PluginCollector};
use crate::plugin::Plugin;
use crate::pool::Runtimes;
use crate::signature::Trust;
use crate::ticker::Ticker;
use crate::{PluginError, PluginFile, loading};

/// However many processors there are.
const MOST_SIDE_BY_SIDE: usize = 8;

/// Engines, clock, compiled-code store, decision cache and metrics: one a process, over all reloads. Clones
/// are the same host.
#[derive(Clone)]
pub struct PluginHost(Arc<Shared>);

/// What a [`PluginHost`] is made of.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Where compiled code is kept.
    pub store: CodeStore,
    /// Instances alive at once, all plugins of an engine together.
    pub instances: u32,
    /// The largest plugin file that is read.
    pub file_bytes: u64,
    /// Worker threads that call plugins.
    pub workers: usize,
    /// Where plugins are compiled, and who is told of it.
    pub compiler: Compiling,
    /// What compiling one may take. Those that are compiled at the same time share the memory.
    pub compile: CompileLimits,
}

/// What is loaded.
#[derive(Clone)]
pub struct Loading<'l> {
    /// Its name in the configuration.
    pub name: &'l str,
    /// Its file; its signature is beside it.
    pub file: &'l Path,
    /// Its limits.
    pub config: &'l PluginConfig,
    /// Whose signatures count.
    pub trust: Trust,
    /// What it may use.
    pub granted: Granted,
    /// Who is told of its calls, if it is on trial; it is counted as `NAME.next` then.
    pub observer: Option<Arc<dyn CallObserver>>,
}

/// Is told of each call of a plugin that is on trial.
pub trait CallObserver: Send + Sync {
    /// Runs after each call, on the thread that called; must not wait. `failed` is a call that brought nothing by the
    /// plugin's fault.
    fn called(&self, failed: bool, time: Duration);
}

/// The inside of a host.
pub(crate) struct Shared {
    pub(crate) settings: HostSettings,
    pub(crate) machines: Arc<Machines>,
    pub(crate) artifacts: Artifacts,
    pub(crate) ticker: Ticker,
    pub(crate) metrics: Arc<HostMetrics>,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) decisions: DecisionCache,
    pub(crate) leases: Arc<Leases>,
    plugins: Mutex<HashMap<Digest, Weak<Plugin>>>,
    /// What compilers share.
    pub(crate) budget: Budget,
    /// Plugins that are read or compiled at the same time: one for each processor.
    loading: Arc<Semaphore>,
}

impl PluginHost {
    /// Starts an engine and opens the compiled-code store.
    ///
    /// # Errors
    /// When the machine cannot run WebAssembly, or when others could write into the store.
    pub fn new(settings: HostSettings) -> Result<Self, PluginError> {
        let machines = Arc::new(Machines::start(settings.instances)?);
        let ticking = Arc::clone(&machines);
        let runtimes = Arc::new(Runtimes::default());
        let idle = Arc::clone(&runtimes);
        let advance = Box::new(move || ticking.tick());
        let ticker = Ticker::start(advance, settings.workers, Box::new(move || idle.sweep()))
            .map_err(|error| PluginError::Engine(error.to_string()))?;
        Ok(Self(Arc::new(Shared {
            machines,
            artifacts: Artifacts::open(&settings.store)?,
            ticker,
            metrics: Arc::new(HostMetrics::new(settings.workers)),
            runtimes,
            decisions: DecisionCache::new(),
            leases: Arc::default(),
            plugins: Mutex::default(),
            budget: Budget::new(settings.compile.memory),
            loading: Arc::new(Semaphore::new(side_by_side())),
            settings,
        })))
    }

    /// Registers the metrics of all plugins, `gatewright_plugin_*`. Once for each registry.
    pub fn register_metrics(&self, registry: &mut prometheus_client::registry::Registry) {
        registry.register_collector(Box::new(PluginCollector(Arc::clone(&self.0.metrics))));
    }

    /// Loads a plugin to which nothing is granted but what its configuration holds, whoever signed it: see
    /// [`PluginHost::load_with`].
    ///
    /// # Errors
    /// When the file is not a plugin that this gateway can run; the message says why and what to do.
    pub async fn load(&self, name: &str, file: &Path, config: &PluginConfig) -> Result<Arc<Plugin>, PluginError> {
        let loading = Loading {
            name,
            file,
            config,
            trust: Trust::default(),
            granted: Granted::default(),
            observer: None,
        };
        self.load_with(loading).await
    }

    /// Reads a plugin's file once, finds out who signed it before anything else is done with it, checks it, compiles it
    /// or takes it from the store, links it and asks what it is. The same bytes of the same publisher with the same name,
    /// limits and grants are the same plugin, as long as somebody has it.
    ///
    /// Takes seconds for large components, on a thread of its own; the calling task needs tokio's timers.
    ///
    /// # Errors
    /// When the file is not a plugin that this gateway can run; the message says why and what to do.
    pub async fn load_with(&self, loading: Loading<'_>) -> Result<Arc<Plugin>, PluginError> {
        let Loading {
            name,
            file,
            config,
            trust,
            granted,
            observer,
        } = loading;
        let shared = &self.0;
        let plugin = PluginFile {
            name: name.to_owned(),
            file: file.to_owned(),
        };
        let closed = |_| PluginError::Engine("the gateway is stopping".to_owned());
        let turn = Arc::clone(&shared.loading).acquire_owned().await.map_err(closed)?;
        let (turn, source) = loading::read(turn, plugin.clone(), trust, shared.settings.file_bytes).await;
        let source = source?;
        let key = key(&source, name, config, &granted, observer.as_ref());
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let (turn, compiled) = loading::compile(turn, plugin.clone(), source, Arc::clone(shared)).await;
        let loaded = Plugin::link(plugin, compiled?, config, granted, observer, Arc::clone(shared)).await?;
        let loaded = Arc::new(loaded);
        shared.metrics.loaded(loaded.compile_time());
        let mut plugins = shared.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|_, plugin| plugin.strong_count() > 0);
        plugins.insert(key, Arc::downgrade(&loaded));
        drop(turn);
        Ok(loaded)
    }

    /// Forgets all cached decisions of authorizers.
    pub fn purge_decisions(&self) {
        self.0.decisions.purge();
    }

    fn known(&self, key: &Digest) -> Option<Arc<Plugin>> {
        let plugins = self.0.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.get(key).and_then(Weak::upgrade)
    }
}

/// Plugins that are loaded at the same time. More would only wait for processors, with their files in memory.
fn side_by_side() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_SIDE_BY_SIDE))
}

/// What makes a plugin another: its bytes and who signed them, its name, what it may use, who is told of its calls. As long
/// as a plugin lives its observer does, and no other has its address.
fn key(
    source: &Source,
    name: &str,
    config: &PluginConfig,
    granted: &Granted,
    observer: Option<&Arc<dyn CallObserver>>,
) -> Digest {
    let observer = observer.map_or(0, |observer| Arc::as_ptr(observer).addr());
    let config = serde_json::to_string(config).unwrap_or_else(|_| format!("{config:?}"));
    Digest::of_parts([
        source.digest.bytes().as_slice(),
        source.publisher.as_deref().unwrap_or_default().as_bytes(),
        name.as_bytes(),
        config.as_bytes(),
        granted.digest().bytes(),
        &observer.to_le_bytes(),
    ])
}
