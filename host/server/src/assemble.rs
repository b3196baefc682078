//! From what a configuration means to a gateway that serves: the one place that knows every kind of everything.
//!
//! Nothing is published here. What cannot be made is an error that says where in the file it comes from, and the
//! generation before goes on serving.

mod explainers;
mod plugins;
mod route;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatewright_config::{ConfigErrors, GatewayConfig, ListenerConfig, Place, RouteConfig};
use gatewright_core::path::Encodings;
use gatewright_core::{Recorder, State};
use gatewright_wasm::{Plugin, PluginError, PluginHost};
use http::HeaderValue;

use self::plugins::{clients, load_candidates, load_plugins};
pub use self::plugins::{plugin_file, used_plugins};
use self::route::RouteAssembly;
use crate::admission::Bounds;
use crate::approval::{self, LockError};
use crate::cache::store::Store;
use crate::candidate::{Candidate, Probations};
use crate::explain::Explaining;
use crate::forwarded::Trust;
use crate::gateway::{Gateway, Service};
use crate::passwords::Passwords;
use crate::plan::{BodyPlan, Impossible, plan};
use crate::router::{Router, RouterError};
use crate::secret::SecretError;
use crate::shedding::Shedders;
use crate::state::redis::Standing;
use crate::state::snapshot::Snapshots;
use crate::streams::Pace;
use crate::telemetry::{Metrics, Telemetry};
use crate::token::issuers::{Issuers, KeysError};
use crate::trial::proof::Proofs;
use crate::upstream::Upstream;
use crate::upstream::connect::SetupError;
use crate::upstream::plugin_client::PluginClient;
use crate::upstream::screen::Resolve;
use crate::usage::{KeyFiles, Usage, read_keys};

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
    /// Verifies passwords.
    pub passwords: Arc<Passwords>,
    /// Responses that the stages `cache` keep.
    pub responses: Arc<Store>,
    /// Writes down what of it shall outlive the process.
    pub snapshots: Option<Snapshots>,
    /// How the servers of `[redis]` stand, where a gateway serves that has any.
    pub standing: Option<Arc<Standing>>,
    /// Whether others may be asked for something: upstreams, issuers, origins of plugins.
    pub online: bool,
    /// Who is let in while too much comes.
    pub shedders: Shedders,
    /// Issuers of tokens.
    pub issuers: Issuers,
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
    /// API keys, by the file that they are in.
    pub keys: KeyFiles,
    /// Usage plans.
    pub usage: Arc<Usage>,
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
    /// A file of keys, users or credentials has mistakes.
    #[error("route `{route}`: {source}")]
    Keys {
        /// Line in the configuration file.
        line: usize,
        /// The route.
        route: String,
        /// The mistakes.
        source: ConfigErrors,
    },
    /// There are no keys to verify tokens with.
    #[error("route `{route}`: {source}")]
    Tokens {
        /// Line in the configuration file.
        line: usize,
        /// The route.
        route: String,
        /// Why.
        source: KeysError,
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
            Self::Plugin { line, .. }
            | Self::Missing { line, .. }
            | Self::Keys { line, .. }
            | Self::Tokens { line, .. } => Some(*line),
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
    let keys = read_keys(&config)?;
    let usage = Arc::new(Usage::new(&config, &keys, &foundation.state));
    let redaction = explainers::redaction(&config, foundation)?;
    let generation = Generation {
        config,
        plugins,
        candidates,
        upstreams,
        plans,
        keys,
        usage,
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
            underscores: listener.underscores,
            encodings: routes
                .iter()
                .filter(|route| serves(route))
                .map(route::encodings)
                .fold(Encodings::default(), Encodings::or)
                .kept(),
            via: foundation.via.clone(),
        },
        body_bytes: listener.limits.body_bytes.0,
        pace: Pace::new(listener.limits.body_timeout, listener.limits.body_rate.0),
        trust: Trust::new(listener),
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
            None => {
                let upstream = Upstream::new(name, config, foundation.workers, &foundation.metrics);
                let upstream = upstream.map_err(Box::new)?;
                Arc::new(if foundation.online {
                    upstream
                } else {
                    upstream.out_of_reach()
                })
            }
        };
        upstreams.insert(name.clone(), upstream);
    }
    Ok(upstreams)
}
