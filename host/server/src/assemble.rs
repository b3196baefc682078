//! From what a configuration means to a gateway that serves: the one place that knows every kind of everything.
//!
//! Nothing is published here. What cannot be made is an error that says where in the file it comes from, and the
//! generation before goes on serving.

mod explainers;
mod mistakes;
mod plugins;
mod route;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatewright_config::{ConfigError, ConfigErrors, GatewayConfig, ListenerConfig, RouteConfig};
use gatewright_core::path::Encodings;
use gatewright_core::{Recorder, State};
use gatewright_wasm::{Plugin, PluginHost};
use http::HeaderValue;

pub use self::mistakes::{AssembleError, Mistakes};
use self::plugins::{clients, load_candidates, load_plugins};
pub use self::plugins::{plugin_file, used_plugins};
use self::route::RouteAssembly;
use crate::admission::Bounds;
use crate::approval;
use crate::cache::store::Store;
use crate::candidate::{Candidate, Probations};
use crate::explain::Explaining;
use crate::forwarded::Trust;
use crate::gateway::{Gateway, Service};
use crate::noting::Noting;
use crate::passwords::Passwords;
use crate::plan::{BodyPlan, plan};
use crate::router::{Router, RouterError};
use crate::shedding::Shedders;
use crate::stages::waf::rules::RuleSets;
use crate::state::redis::Standing;
use crate::state::snapshot::Snapshots;
use crate::streams::Pace;
use crate::telemetry::{Metrics, Telemetry};
use crate::token::issuers::Issuers;
use crate::trial::proof::Proofs;
use crate::upstream::Upstream;
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

/// Makes a gateway. `before` is the generation that serves now. `found` are mistakes that are known already, without which
/// the rest is looked at all the same.
///
/// # Errors
/// Everything that cannot be made.
pub async fn assemble(
    config: GatewayConfig,
    number: u64,
    foundation: &Foundation,
    before: Option<&Generation>,
    found: Vec<ConfigError>,
) -> Result<(Gateway, Generation), ConfigErrors> {
    let mut mistakes = Mistakes::from(found);
    let upstreams = upstreams(&config, foundation, before, &mut mistakes);
    let clients = clients(&config, foundation, before, &mut mistakes);
    let lock = approval::lock(&config.plugins.lock, before.is_some_and(|before| before.is_locked));
    let lock = mistakes.keep(lock.map_err(AssembleError::from)).flatten();
    let plugins = load_plugins(&config, lock.as_ref(), foundation, &clients, &mut mistakes).await;
    let may_lack = before.is_none() && !config.plugins.required;
    if !may_lack {
        plugins::missing(&config, &plugins, &mut mistakes);
    }
    let candidates = load_candidates(&config, &plugins, lock.as_ref(), foundation, &clients, &mut mistakes).await;
    let plans = plans(&config, &plugins, &mut mistakes);
    let keys = read_keys(&config, &mut mistakes);
    let usage = Arc::new(Usage::new(&config, &keys, &foundation.state));
    let redaction = explainers::redaction(&config, foundation);
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
    let rule_sets = RuleSets::default();
    for route in &generation.config.routes {
        let assembly = RouteAssembly {
            route,
            name: route.name.as_str().into(),
            generation: &generation,
            foundation,
            rule_sets: &rule_sets,
            redaction: redaction.as_ref(),
        };
        routes.extend(assembly.assemble(may_lack, &mut mistakes).await);
    }
    let services = generation.config.listeners.iter().filter_map(|(name, listener)| {
        let service = service(name, listener, &generation.config.routes, foundation);
        Some((
            name.as_str().into(),
            mistakes.keep(service.map_err(AssembleError::from))?,
        ))
    });
    let services = services.collect();
    let recorder: Arc<dyn Recorder> = Arc::<Telemetry>::clone(&foundation.telemetry);
    let noting = Noting::new(foundation.telemetry.log_fields(), &generation.config);
    let explainer = explainers::explainer(&generation.config, foundation, redaction);
    let explainer = mistakes.keep(explainer.map_err(AssembleError::from)).flatten();
    mistakes.none()?;
    Ok((
        Gateway {
            listeners: services,
            no_route: "".into(),
            routes,
            recorder,
            noting,
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
    mistakes: &mut Mistakes,
) -> Vec<BodyPlan> {
    let loaded = |name: &str| Some(plugins.get(name)?.as_ref().ok()?.summary());
    let plan = |route: &RouteConfig| {
        let plan = plan(route, config, loaded).map_err(|source| AssembleError::Chain {
            route: route.name.clone(),
            source,
        });
        mistakes.keep(plan)
    };
    config.routes.iter().filter_map(plan).collect()
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
    mistakes: &mut Mistakes,
) -> HashMap<String, Arc<Upstream>> {
    let mut upstreams = HashMap::new();
    for (name, config) in &config.upstreams {
        let same = before
            .and_then(|before| before.upstreams.get(name))
            .filter(|known| known.is_still(config));
        let upstream = match same {
            Some(upstream) => Some(Arc::clone(upstream)),
            None => {
                let made = Upstream::new(name, config, foundation.workers, &foundation.metrics);
                let made = made.map(|upstream| match foundation.online {
                    true => Arc::new(upstream),
                    false => Arc::new(upstream.out_of_reach()),
                });
                mistakes.keep(made.map_err(AssembleError::from))
            }
        };
        upstreams.extend(upstream.map(|upstream| (name.clone(), upstream)));
    }
    upstreams
}
