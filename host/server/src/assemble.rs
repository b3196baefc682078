//! From what a configuration means to a gateway that serves: the one place that knows every kind of everything.
//!
//! Nothing is published here. What cannot be made is an error that says where in the file it comes from, and the
//! generation before goes on serving.

mod explainers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_config::{
    ConfigErrors, GatewayConfig, HttpIntegrationConfig, IntegrationConfig, ListenerConfig, Lock, Place, PluginConfig,
    RouteConfig, StageConfig, StageKind, load_keys,
};
use gatewright_core::{Integration, Recorder, RouteName, Stage, State};
use gatewright_wasm::{Granted, Loading, Plugin, PluginError, PluginHost, StageUse, Trust};
use http::HeaderValue;

use crate::admission::Bounds;
use crate::approval::{self, LockError};
use crate::candidate::{self, Candidate, Probations};
use crate::chain::{Chain, Link};
use crate::explain::{Explaining, Redaction};
use crate::gateway::{Gateway, Route, Service};
use crate::integrations::http::Http;
use crate::integrations::respond::Respond;
use crate::integrations::unavailable::Unavailable as UnavailableIntegration;
use crate::plan::{BodyPlan, Impossible, plan};
use crate::router::{Router, RouterError};
use crate::secret::{self, SecretError};
use crate::stages::api_key::ApiKey;
use crate::stages::throttle::Throttle;
use crate::stages::unavailable::Unavailable as UnavailableStage;
use crate::telemetry::{Metrics, Telemetry};
use crate::trial::proof::Proofs;
use crate::upstream::Upstream;
use crate::upstream::connect::SetupError;
use crate::upstream::plugin_client::PluginClient;
use crate::upstream::screen::Resolve;

/// What lives as long as the process, whatever the configuration says.
pub struct Foundation {
    /// Loads and runs plugins.
    pub plugins: PluginHost,
    /// Candidates that it has seen.
    pub probations: Probations,
    /// Which of them have passed their tests.
    pub proofs: Proofs,
    /// State that stages share.
    pub state: Arc<dyn State>,
    /// Takes the access records.
    pub telemetry: Arc<Telemetry>,
    /// Every number.
    pub metrics: Arc<Metrics>,
    /// Finds the addresses of origins that plugins call.
    pub resolver: Arc<dyn Resolve>,
    /// What this process calls itself in `Via`.
    pub via: HeaderValue,
    /// Which requests are explained; none when that is off.
    pub explaining: Option<Arc<Explaining>>,
    /// Threads that serve.
    pub workers: usize,
}

/// A generation: the gateway, and what the next one may take over from it.
pub struct Generation {
    /// What the configuration means.
    pub config: GatewayConfig,
    /// Plugins that routes use; none for one that could not be loaded.
    pub plugins: BTreeMap<String, Result<Arc<Plugin>, String>>,
    /// New versions of plugins on trial, by plugin.
    pub candidates: BTreeMap<String, Candidate>,
    /// Upstreams by name.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    /// What becomes of bodies, for each route of the configuration.
    pub plans: Vec<BodyPlan>,
    /// Clients of the plugins that may send requests, by the plugin's name.
    pub clients: HashMap<String, Arc<PluginClient>>,
    /// Whether plugins were compared with a lock file.
    pub is_locked: bool,
}

/// Why a configuration cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A plugin cannot be loaded, or refuses its configuration.
    #[error("route `{route}`: {source}")]
    Plugin {
        /// Line in the configuration file.
        line: usize,
        /// The route.
        route: String,
        /// Why.
        source: Box<PluginError>,
    },
    /// Something that the route names is not there.
    #[error("route `{route}`: {reason}")]
    Missing {
        /// Line in the configuration file.
        line: usize,
        /// The route.
        route: String,
        /// Why.
        reason: String,
    },
    /// The chain cannot work, whatever comes.
    #[error("route `{route}`: {source}")]
    Chain {
        /// The route.
        route: String,
        /// Why.
        source: Impossible,
    },
    /// A file of API keys has mistakes.
    #[error("route `{route}`: {source}")]
    Keys {
        /// Line in the configuration file.
        line: usize,
        /// The route.
        route: String,
        /// The mistakes.
        source: ConfigErrors,
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
    Upstream(#[from] Box<SetupError>),
    /// The router cannot take a route.
    #[error(transparent)]
    Router(#[from] RouterError),
}

impl AssembleError {
    /// The line in the configuration file that it is about, where it is about one.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Plugin { line, .. } | Self::Missing { line, .. } | Self::Keys { line, .. } => Some(*line),
            Self::Chain { source, .. } => Some(source.line),
            Self::Secret { .. } | Self::Lock(_) | Self::Upstream(_) | Self::Router(_) => None,
        }
    }
}

/// Makes a gateway. `before` is the generation that serves now.
///
/// # Errors
/// The first thing that cannot be made.
pub async fn assemble(
    config: GatewayConfig,
    number: u64,
    foundation: &Foundation,
    before: Option<&Generation>,
) -> Result<(Gateway, Generation), AssembleError> {
    let upstreams = upstreams(&config, foundation, before)?;
    let clients = clients(&config, foundation, before)?;
    let lock = approval::lock(&config.plugins.lock, before.is_some_and(|before| before.is_locked))?;
    let plugins = load_plugins(&config, lock.as_ref(), foundation, &clients).await?;
    let candidates = load_candidates(&config, &plugins, lock.as_ref(), foundation, &clients).await?;
    let plans = plans(&config, &plugins)?;
    let redaction = explainers::redaction(&config, foundation)?;
    let generation = Generation {
        config,
        plugins,
        candidates,
        upstreams,
        plans,
        clients,
        is_locked: lock.is_some(),
    };
    let mut routes = Vec::with_capacity(generation.config.routes.len());
    for route in &generation.config.routes {
        routes.push(
            RouteAssembly {
                route,
                name: route.name.as_str().into(),
                generation: &generation,
                foundation,
                redaction: redaction.as_ref(),
            }
            .assemble(before.is_none())
            .await?,
        );
    }
    let services = generation
        .config
        .listeners
        .iter()
        .map(|(name, listener)| {
            Ok((
                name.as_str().into(),
                service(name, listener, &generation.config.routes, foundation)?,
            ))
        })
        .collect::<Result<_, RouterError>>()?;
    let recorder: Arc<dyn Recorder> = Arc::<Telemetry>::clone(&foundation.telemetry);
    let explainer = explainers::explainer(&generation.config, foundation, redaction)?;
    Ok((
        Gateway {
            listeners: services,
            no_route: "".into(),
            routes,
            recorder,
            explainer,
            generation: number,
        },
        generation,
    ))
}

/// A chain that cannot work is refused here.
fn plans(
    config: &GatewayConfig,
    plugins: &BTreeMap<String, Result<Arc<Plugin>, String>>,
) -> Result<Vec<BodyPlan>, AssembleError> {
    let loaded = |name: &str| Some(plugins.get(name)?.as_ref().ok()?.summary());
    let plan = |route: &RouteConfig| {
        plan(route, config, loaded).map_err(|source| AssembleError::Chain {
            route: route.name.clone(),
            source,
        })
    };
    config.routes.iter().map(plan).collect()
}

fn service(
    name: &str,
    listener: &ListenerConfig,
    routes: &[RouteConfig],
    foundation: &Foundation,
) -> Result<Service, RouterError> {
    let serves = |route: &RouteConfig| route.listeners.is_empty() || route.listeners.iter().any(|one| one == name);
    Ok(Service {
        router: Router::new(routes.iter().enumerate().filter(|(_, route)| serves(route)))?,
        bounds: Bounds {
            uri_bytes: listener.limits.uri_bytes.0,
            header_count: listener.limits.header_count,
            via: foundation.via.clone(),
        },
        body_bytes: listener.limits.body_bytes.0,
        body_timeout: listener.limits.body_timeout,
        trusted_proxies: listener.trusted_proxies.clone(),
    })
}

/// Upstreams whose configuration has not changed are taken over, and their connections with them.
fn upstreams(
    config: &GatewayConfig,
    foundation: &Foundation,
    before: Option<&Generation>,
) -> Result<HashMap<String, Arc<Upstream>>, AssembleError> {
    let mut upstreams = HashMap::new();
    for (name, config) in &config.upstreams {
        let same = before
            .and_then(|before| before.upstreams.get(name))
            .filter(|known| known.is_still(config));
        let upstream = match same {
            Some(upstream) => Arc::clone(upstream),
            None => Upstream::new(name, config, foundation.workers)
                .map(Arc::new)
                .map_err(Box::new)?,
        };
        upstreams.insert(name.clone(), upstream);
    }
    Ok(upstreams)
}

/// Clients that would be the same are taken over, as upstreams are.
fn clients(
    config: &GatewayConfig,
    foundation: &Foundation,
    before: Option<&Generation>,
) -> Result<HashMap<String, Arc<PluginClient>>, AssembleError> {
    let mut clients = HashMap::new();
    for name in used_plugins(config) {
        let Some(plugin) = config.plugin.get(name).filter(|plugin| !plugin.grants.http.is_empty()) else {
            continue;
        };
        let same = before
            .and_then(|before| before.clients.get(name))
            .filter(|known| known.is_still(plugin));
        let client = match same {
            Some(client) => Arc::clone(client),
            None => PluginClient::new(plugin, foundation.workers, &foundation.resolver)
                .map(Arc::new)
                .map_err(Box::new)?,
        };
        clients.insert(name.to_owned(), client);
    }
    Ok(clients)
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
        .map(|directory| directory.join(format!("{name}.wasm")))
}

/// Loads every plugin that a route uses. Why one could not be loaded is said by the route that misses it; what is
/// granted and is not there is an error of the configuration.
async fn load_plugins(
    config: &GatewayConfig,
    lock: Option<&Lock>,
    foundation: &Foundation,
    clients: &HashMap<String, Arc<PluginClient>>,
) -> Result<BTreeMap<String, Result<Arc<Plugin>, String>>, AssembleError> {
    let mut plugins = BTreeMap::new();
    for name in used_plugins(config) {
        let loaded = match plugin_file(config, name) {
            None => Err(format!("plugin `{name}` is used, but there is no `plugins.directory`")),
            Some(file) => {
                let limits = limits(config, name);
                let loading = Loading {
                    name,
                    file: &file,
                    config: &limits,
                    trust: Trust::of(&config.plugins, &limits),
                    granted: granted(name, &limits, foundation, clients.get(name))?,
                    observer: None,
                };
                let loaded = foundation.plugins.load_with(loading).await;
                loaded.map_err(|error| error.to_string())
            }
        };
        let approved = loaded.and_then(|plugin| match lock {
            Some(lock) => approval::check(lock, &config.plugins.lock, name, plugin.summary()).map(|()| plugin),
            None => Ok(plugin),
        });
        let proven = match (approved, plugin_file(config, name)) {
            (Ok(plugin), Some(file)) => foundation.proofs.check(&file, &plugin).await.map(|()| plugin),
            (approved, _) => approved,
        };
        plugins.insert(name.to_owned(), proven);
    }
    Ok(plugins)
}

/// Loads the candidates of the plugins that have been loaded.
async fn load_candidates(
    config: &GatewayConfig,
    plugins: &BTreeMap<String, Result<Arc<Plugin>, String>>,
    lock: Option<&Lock>,
    foundation: &Foundation,
    clients: &HashMap<String, Arc<PluginClient>>,
) -> Result<BTreeMap<String, Candidate>, AssembleError> {
    let mut candidates = BTreeMap::new();
    for (name, serving) in plugins {
        let rules = config.plugin.get(name).and_then(|plugin| plugin.candidate.as_ref());
        let (Some(rules), Ok(serving)) = (rules, serving) else {
            continue;
        };
        let limits = limits(config, name);
        let trial = candidate::Trial {
            config,
            lock,
            foundation,
            serving,
            limits: &limits,
            granted: granted(name, &limits, foundation, clients.get(name))?,
        };
        if let Some(candidate) = trial.load(rules).await {
            candidates.insert(name.clone(), candidate);
        }
    }
    Ok(candidates)
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
    let online = foundation
        .explaining
        .as_ref()
        .is_none_or(|explaining| explaining.online);
    if let Some(client) = client.filter(|_| online) {
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

/// One route in the making.
struct RouteAssembly<'a> {
    route: &'a RouteConfig,
    name: RouteName,
    generation: &'a Generation,
    foundation: &'a Foundation,
    /// What explanations do not show; none when there are none.
    redaction: Option<&'a Arc<Redaction>>,
}

impl RouteAssembly<'_> {
    async fn assemble(&self, at_start: bool) -> Result<Route, AssembleError> {
        let mut links = Vec::with_capacity(self.route.chain.len());
        for (position, stage) in self.route.chain.iter().enumerate() {
            let stage = self.stage(stage, position, at_start).await?;
            let name: Arc<str> = stage.name().into();
            let metrics = self.foundation.metrics.stage(&self.name, &name);
            let stage = explainers::stage(stage, self.redaction);
            links.push(Link { stage, name, metrics });
        }
        let integration = self.integration(at_start).await?;
        let upstream = match &self.route.integration {
            IntegrationConfig::Http(http) => self.generation.upstreams.get(&http.upstream),
            _ => None,
        };
        let upstream = upstream.map(|upstream| &upstream.name);
        Ok(Route {
            name: Arc::clone(&self.name),
            chain: Chain::new(links, self.observed(integration)),
            timeout: self.route.timeout,
            body_bytes: self.route.body_bytes.map(|size| size.0),
            recorder: self.foundation.telemetry.route(&self.name, upstream),
        })
    }

    async fn stage(
        &self,
        stage: &StageConfig,
        position: usize,
        at_start: bool,
    ) -> Result<Arc<dyn Stage>, AssembleError> {
        let line = stage.line;
        Ok(match &stage.kind {
            StageKind::ApiKey(config) => {
                let keys = load_keys(&config.keys).map_err(|source| AssembleError::Keys {
                    line,
                    route: self.route.name.clone(),
                    source,
                })?;
                Arc::new(ApiKey::new(config, keys))
            }
            StageKind::Throttle(config) => Arc::new(Throttle::new(
                config,
                &self.name,
                position,
                Arc::clone(&self.foundation.state),
            )),
            StageKind::Plugin(config) => match self.plugin(&config.plugin, line, at_start)? {
                None => Arc::new(UnavailableStage::new(&config.plugin)),
                Some(plugin) => {
                    let use_ = StageUse {
                        config,
                        route: &self.name,
                        last_authorizer: self.is_last_authorizer(position),
                    };
                    let stage = plugin.stage(use_).await.map_err(|source| self.refused(line, source))?;
                    match self.candidate(&config.plugin) {
                        Some((trial, candidate)) => match candidate.stage(use_).await {
                            Ok(candidate) => trial.stage(stage, candidate),
                            Err(error) => {
                                self.unfit(trial, &error);
                                stage
                            }
                        },
                        None => stage,
                    }
                }
            },
        })
    }

    async fn integration(&self, at_start: bool) -> Result<Arc<dyn Integration>, AssembleError> {
        Ok(match &self.route.integration {
            IntegrationConfig::Http(config) => Arc::new(self.http(config)?),
            IntegrationConfig::Respond(config) => Arc::new(Respond::new(config)),
            IntegrationConfig::Plugin(config) => match self.plugin(&config.plugin, config.line, at_start)? {
                None => Arc::new(UnavailableIntegration::new(&config.plugin)),
                Some(plugin) => {
                    let made = plugin.integration(config, &self.name).await;
                    let integration = made.map_err(|source| self.refused(config.line, source))?;
                    match self.candidate(&config.plugin) {
                        Some((trial, candidate)) => match candidate.integration(config, &self.name).await {
                            Ok(candidate) => trial.integration(integration, candidate),
                            Err(error) => {
                                self.unfit(trial, &error);
                                integration
                            }
                        },
                        None => integration,
                    }
                }
            },
        })
    }

    fn observed(&self, integration: Arc<dyn Integration>) -> Arc<dyn Integration> {
        let online = self
            .foundation
            .explaining
            .as_ref()
            .is_none_or(|explaining| explaining.online);
        let asked = online || !matches!(self.route.integration, IntegrationConfig::Http(_));
        explainers::integration(integration, asked, self.redaction)
    }

    fn http(&self, config: &HttpIntegrationConfig) -> Result<Http, AssembleError> {
        let upstream = self
            .generation
            .upstreams
            .get(&config.upstream)
            .ok_or_else(|| AssembleError::Missing {
                line: self.route.line,
                route: self.route.name.clone(),
                reason: format!("there is no upstream `{}`", config.upstream),
            })?;
        Ok(Http::new(config, Arc::clone(upstream), self.foundation.via.clone()))
    }

    /// The plugin of that name. None when it is missing and the configuration says to start without it.
    fn plugin(&self, name: &str, line: usize, at_start: bool) -> Result<Option<&Arc<Plugin>>, AssembleError> {
        match self.generation.plugins.get(name) {
            Some(Ok(plugin)) => Ok(Some(plugin)),
            Some(Err(_)) if at_start && !self.generation.config.plugins.required => Ok(None),
            other => Err(AssembleError::Missing {
                line,
                route: self.route.name.clone(),
                reason: match other {
                    Some(Err(reason)) => reason.clone(),
                    _ => format!("plugin `{name}` is not loaded"),
                },
            }),
        }
    }

    /// The candidate of a plugin, if it is on trial.
    fn candidate(&self, name: &str) -> Option<(&Candidate, &Arc<Plugin>)> {
        let trial = self.generation.candidates.get(name)?;
        Some((trial, trial.plugin.as_ref().filter(|_| !trial.probation.is_over())?))
    }

    /// A candidate does not accept what this route wants of it.
    fn unfit(&self, trial: &Candidate, error: &PluginError) {
        trial.probation.refuse(&format!("route `{}`: {error}", self.name));
    }

    /// Whether no stage after this one decides who may pass.
    fn is_last_authorizer(&self, position: usize) -> bool {
        let is_authorizer = |stage: &StageConfig| match &stage.kind {
            StageKind::Plugin(config) => {
                matches!(self.generation.plugins.get(&config.plugin), Some(Ok(plugin)) if plugin.is_authorizer())
            }
            _ => false,
        };
        !self.route.chain.iter().skip(position + 1).any(is_authorizer)
    }

    fn refused(&self, line: usize, source: PluginError) -> AssembleError {
        AssembleError::Plugin {
            line,
            route: self.route.name.clone(),
            source: Box::new(source),
        }
    }
}
