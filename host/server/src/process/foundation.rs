//! What is made once and outlives every generation: what the configuration says of it takes effect at a restart. For commands
//! that only look, the same without anything that somebody else would notice.

use std::sync::Arc;

use gatewright_config::{AccessLogConfig, AccessLogOutput, ConfigError, GatewayConfig};
use gatewright_core::State;
use gatewright_wasm::{CodeStore, CompileLimits, Compiling, HostSettings, PluginError, PluginHost};
use prometheus_client::registry::Registry;

use super::StartError;
use crate::access_log::AccessLog;
use crate::assemble::Foundation;
use crate::cache::disk::Disk;
use crate::cache::store::Store;
use crate::candidate::Probations;
use crate::shedding::Shedders;
use crate::state::embedded::Embedded;
use crate::state::opening;
use crate::state::redis::Redis;
use crate::state::scoped::Scoped;
use crate::state::snapshot::{self, Snapshots};
use crate::telemetry::{Metrics, Telemetry};
use crate::token::issuers::Issuers;
use crate::trial::proof::Proofs;
use crate::upstream::screen::SystemResolver;
use crate::via;
use crate::words;

/// Threads that serve requests.
pub(super) fn worker_count(config: &GatewayConfig) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    }
}

/// What the foundation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A gateway that serves.
    Serving,
    /// A command that looks, beside a gateway that may be serving with the same files. It leaves nothing behind.
    Looking {
        /// Others may be asked for something, the servers of `[redis]` too. Otherwise nothing is sent to anybody.
        online: bool,
    },
}

/// What a command may know of a configuration that it only looks at: access log, recordings and the folder for responses
/// belong to a gateway that serves.
pub(super) fn without_traces(mut config: GatewayConfig) -> GatewayConfig {
    config.access_log = AccessLogConfig::off();
    config.response_cache.disk = None;
    config.plugin.values_mut().for_each(|plugin| plugin.record = None);
    config
}

/// Opens the access log, reads what outlived the last gateway, and starts the plugin engine. What is wrong with what the
/// configuration names is added to `mistakes`, and left out of what is made.
pub(super) fn foundation(
    purpose: Purpose,
    config: &GatewayConfig,
    metrics: &Arc<Metrics>,
    workers: usize,
    compiler: &Compiling,
    mistakes: &mut Vec<ConfigError>,
) -> Result<Foundation, StartError> {
    let access_log = match AccessLog::open(&config.access_log, metrics.dropped_records()) {
        Ok(access_log) => access_log,
        Err(error) => {
            let AccessLogOutput::File(file) = &config.access_log.output else {
                return Err(error.into());
            };
            mistakes.push(words::unwritable(file, "open", &error));
            None
        }
    };
    let redis = config.redis.as_ref();
    let redis = redis.map(|redis| opening::open(redis, workers, &metrics.state()));
    let redis = redis.and_then(|redis| redis.map_err(|error| mistakes.push(error.mistake())).ok());
    let standing = redis.as_ref().filter(|_| purpose == Purpose::Serving).map(Redis::watch);
    let mut settings = HostSettings {
        store: match purpose {
            Purpose::Serving => CodeStore::kept(config.plugins.store.path.clone()),
            Purpose::Looking { .. } => CodeStore::read(config.plugins.store.path.clone()),
        },
        instances: config.plugins.instances,
        file_bytes: config.plugins.file_bytes.0,
        workers,
        compiler: compiler.clone(),
        compile: CompileLimits {
            time: config.plugins.compile_time,
            memory: config.plugins.compile_memory,
        },
    };
    let plugins = match PluginHost::new(settings.clone()) {
        Err(error @ PluginError::Store { .. }) => {
            let place = &config.plugins.store.place;
            mistakes.push(
                place
                    .mistake(error)
                    .with_hint("name a folder of this user, or one that can be made"),
            );
            // Without a store the other mistakes are found, too.
            settings.store = CodeStore::default();
            PluginHost::new(settings.clone())
        }
        host => host,
    }?;
    let (state, snapshots) = state(purpose, config, redis, metrics, mistakes);
    let disk = config.response_cache.disk.as_ref();
    let disk = disk.map(|disk| Disk::open(disk, metrics.cache()));
    let disk = disk.and_then(|disk| disk.map_err(|error| mistakes.push(error.mistake())).ok());
    let via = via::own();
    let shared: Arc<dyn State> = Arc::clone(&state) as _;
    let issuers = Issuers::new(Arc::clone(metrics), via.clone(), workers, shared);
    Ok(Foundation {
        plugins,
        probations: Probations::default(),
        proofs: Proofs::new(settings),
        state,
        snapshots,
        standing,
        online: matches!(purpose, Purpose::Serving | Purpose::Looking { online: true }),
        shedders: Shedders::default(),
        passwords: Arc::default(),
        responses: Store::new(config.response_cache.bytes.0, disk, metrics.cache()),
        telemetry: Telemetry::new(Arc::clone(metrics), access_log),
        metrics: Arc::clone(metrics),
        resolver: Arc::new(SystemResolver::default()),
        issuers,
        via,
        explaining: None,
        workers,
    })
}

/// Where limits and plugins keep what they count, and who writes it down. A command that looks begins with what was written
/// down last, and writes nothing; unless it may ask others, what gateways share begins with that too.
fn state(
    purpose: Purpose,
    config: &GatewayConfig,
    redis: Option<Redis>,
    metrics: &Metrics,
    mistakes: &mut Vec<ConfigError>,
) -> (Arc<dyn State>, Option<Snapshots>) {
    if purpose == Purpose::Serving {
        let state = Arc::new(Scoped::new(redis, metrics.state()));
        let snapshots = Snapshots::start(&config.state, Arc::clone(&state));
        let snapshots = snapshots.map_err(|error| mistakes.push(error.mistake())).ok().flatten();
        return (state, snapshots);
    }
    let written = config.state.snapshot.as_ref().map(snapshot::look);
    let written = written.and_then(|written| written.map_err(|error| mistakes.push(error.mistake())).ok());
    let written = written.unwrap_or_default();
    if purpose == (Purpose::Looking { online: true }) {
        let state = Scoped::new(redis, metrics.state());
        state.restore(written);
        return (Arc::new(state), None);
    }
    let state = Embedded::default();
    state.restore(written);
    (Arc::new(state), None)
}

/// Every number that the admin address shows.
pub(super) fn registry(metrics: &Metrics, foundation: &Foundation) -> Registry {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    foundation.plugins.register_metrics(&mut registry);
    registry
}

/// Says which changes wait for a restart.
pub(super) fn warn_of_fixed(before: &GatewayConfig, after: &GatewayConfig) {
    let fixed = [
        ("server.workers", before.server.workers != after.server.workers),
        ("admin", before.admin != after.admin),
        ("access_log", before.access_log != after.access_log),
        ("state", before.state != after.state),
        (
            "response_cache.disk",
            before.response_cache.disk != after.response_cache.disk,
        ),
        ("redis", before.redis != after.redis),
        ("plugins.store", before.plugins.store != after.plugins.store),
        ("plugins.instances", before.plugins.instances != after.plugins.instances),
        (
            "plugins.file_bytes",
            before.plugins.file_bytes != after.plugins.file_bytes,
        ),
        (
            "plugins.compile_time",
            before.plugins.compile_time != after.plugins.compile_time,
        ),
        (
            "plugins.compile_memory",
            before.plugins.compile_memory != after.plugins.compile_memory,
        ),
    ];
    for (key, _) in fixed.iter().filter(|(_, changed)| *changed) {
        tracing::warn!(key, "this change takes effect when the gateway is restarted");
    }
}
