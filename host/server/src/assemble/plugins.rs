//! Plugins, and what is granted to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use gatewright_config::{GatewayConfig, IntegrationConfig, Lock, Place, PluginConfig, StageKind};
use gatewright_wasm::{Granted, Loading, Plugin, Trust};

use super::mistakes::ABOUT_PLUGINS;
use super::{AssembleError, Foundation, Generation, Mistakes};
use crate::approval;
use crate::candidate::{self, Candidate};
use crate::secret;
use crate::upstream::plugin_client::PluginClient;

/// Clients that would be the same are taken over, as upstreams are.
pub(super) fn clients(
    config: &GatewayConfig,
    foundation: &Foundation,
    before: Option<&Generation>,
    mistakes: &mut Mistakes,
) -> HashMap<String, Arc<PluginClient>> {
    let mut clients = HashMap::new();
    for name in used_plugins(config) {
        let Some(plugin) = config.plugin.get(name).filter(|plugin| !plugin.grants.http.is_empty()) else {
            continue;
        };
        let same = before
            .and_then(|before| before.clients.get(name))
            .filter(|known| known.is_still(plugin));
        let client = match same {
            Some(client) => Some(Arc::clone(client)),
            None => {
                let (workers, via) = (foundation.workers, foundation.via.clone());
                let made = PluginClient::new(plugin, workers, &foundation.resolver, via).map(Arc::new);
                mistakes.keep(made.map_err(AssembleError::from))
            }
        };
        clients.extend(client.map(|client| (name.to_owned(), client)));
    }
    clients
}

/// Names of the plugins that routes use.
pub fn used_plugins(config: &GatewayConfig) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    for route in &config.routes {
        for stage in &route.chain {
            if let StageKind::Plugin(plugin) = &stage.kind {
                used.insert(plugin.plugin.as_str());
            }
        }
        if let IntegrationConfig::Plugin(plugin) = &route.integration {
            used.insert(plugin.plugin.as_str());
        }
    }
    used
}

/// The file of a plugin, if there is a folder of plugins.
pub fn plugin_file(config: &GatewayConfig, name: &str) -> Option<PathBuf> {
    config
        .plugins
        .directory
        .as_ref()
        .map(|directory| directory.path.join(format!("{name}.wasm")))
}

/// Loads every plugin that a route uses. Why one could not be loaded is said by the route that misses it; what is
/// granted and is not there is an error of the configuration.
pub(super) async fn load_plugins(
    config: &GatewayConfig,
    lock: Option<&Lock>,
    foundation: &Foundation,
    clients: &HashMap<String, Arc<PluginClient>>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Result<Arc<Plugin>, String>> {
    let mut loading = Vec::new();
    for name in used_plugins(config) {
        let limits = limits(config, name);
        let granted = granted(name, &limits, foundation, clients.get(name));
        let Some(granted) = mistakes.keep(granted) else {
            continue;
        };
        loading.push(async move {
            let loaded = load_plugin(config, name, &limits, granted, lock, foundation).await;
            (name.to_owned(), loaded)
        });
    }
    // All at once: compilers take turns among themselves.
    join_all(loading).await.into_iter().collect()
}

/// Loads one plugin and finds out whether it may serve. Why it may not is for people.
async fn load_plugin(
    config: &GatewayConfig,
    name: &str,
    limits: &PluginConfig,
    granted: Granted,
    lock: Option<&Lock>,
    foundation: &Foundation,
) -> Result<Arc<Plugin>, String> {
    let file = plugin_file(config, name)
        .ok_or_else(|| format!("plugin `{name}` is used, but there is no `plugins.directory`"))?;
    let loading = Loading {
        name,
        file: &file,
        config: limits,
        trust: Trust::of(&config.plugins, limits),
        granted,
        observer: None,
    };
    let loaded = foundation.plugins.load_with(loading).await;
    let plugin = loaded.map_err(|error| error.to_string())?;
    if let Some(lock) = lock {
        approval::check(lock, &config.plugins.lock, name, plugin.summary())?;
    }
    foundation.proofs.check(&file, &plugin).await?;
    Ok(plugin)
}

/// Says of each plugin that could not be loaded why, where it is used first.
pub(super) fn missing(
    config: &GatewayConfig,
    plugins: &BTreeMap<String, Result<Arc<Plugin>, String>>,
    mistakes: &mut Mistakes,
) {
    let wrong = plugins
        .iter()
        .filter_map(|(name, plugin)| Some((name, plugin.as_ref().err()?)));
    for (name, reason) in wrong {
        if let Some((route, place)) = first_use(config, name) {
            let is_there = plugin_file(config, name).is_some_and(|file| file.exists());
            let hint = match is_there {
                true => ABOUT_PLUGINS,
                false => "plugins are files `NAME.wasm` in the folder that `directory` under `[plugins]` names",
            };
            mistakes.add(AssembleError::Missing {
                place: place.clone(),
                route: route.to_owned(),
                reason: reason.clone(),
                hint: Some(hint),
            });
        }
    }
}

/// The route that uses a plugin first, and where.
fn first_use<'c>(config: &'c GatewayConfig, name: &str) -> Option<(&'c str, &'c Place)> {
    config.routes.iter().find_map(|route| {
        let stage = route.chain.iter().find_map(|stage| match &stage.kind {
            StageKind::Plugin(plugin) if plugin.plugin == name => Some(&stage.place),
            _ => None,
        });
        let integration = || match &route.integration {
            IntegrationConfig::Plugin(plugin) if plugin.plugin == name => Some(&plugin.place),
            _ => None,
        };
        Some((route.name.as_str(), stage.or_else(integration)?))
    })
}

/// Loads the candidates of the plugins that have been loaded.
pub(super) async fn load_candidates(
    config: &GatewayConfig,
    plugins: &BTreeMap<String, Result<Arc<Plugin>, String>>,
    lock: Option<&Lock>,
    foundation: &Foundation,
    clients: &HashMap<String, Arc<PluginClient>>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Candidate> {
    let mut candidates = BTreeMap::new();
    for (name, serving) in plugins {
        let rules = config.plugin.get(name).and_then(|plugin| plugin.candidate.as_ref());
        let (Some(rules), Ok(serving)) = (rules, serving) else {
            continue;
        };
        let limits = limits(config, name);
        let granted = granted(name, &limits, foundation, clients.get(name));
        let Some(granted) = mistakes.keep(granted) else {
            continue;
        };
        let trial = candidate::Trial {
            config,
            lock,
            foundation,
            serving,
            limits: &limits,
            granted,
        };
        if let Some(candidate) = trial.load(rules).await {
            candidates.insert(name.clone(), candidate);
        }
    }
    candidates
}

/// The limits of a plugin. Its candidate is none of its business: another one makes no other plugin of it.
fn limits(config: &GatewayConfig, name: &str) -> PluginConfig {
    PluginConfig {
        candidate: None,
        ..config.plugin.get(name).cloned().unwrap_or_default()
    }
}

/// Finds what is granted to a plugin.
fn granted(
    plugin: &str,
    config: &PluginConfig,
    foundation: &Foundation,
    client: Option<&Arc<PluginClient>>,
) -> Result<Granted, AssembleError> {
    let mut granted = Granted {
        state: Some(Arc::clone(&foundation.state)),
        ..Granted::default()
    };
    if let Some(client) = client.filter(|_| foundation.online) {
        granted.authorities = client.authorities().to_owned();
        granted.http = Some(Arc::<PluginClient>::clone(client));
    }
    for (name, secret) in &config.grants.secrets {
        let value = secret::read(&secret.reference).map_err(|source| AssembleError::Secret {
            plugin: plugin.to_owned(),
            place: secret.place.clone(),
            source,
        })?;
        granted.secrets.insert(name.clone(), value.into());
    }
    Ok(granted)
}
