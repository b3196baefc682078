//! What the admin address shows of the gateway: published by the control thread, read without disturbing anybody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use gatewright_config::{IntegrationConfig, RouteConfig, suggestion};
use gatewright_wasm::Plugin;
use serde::Serialize;
use serde_json::{Value, json};

use crate::assemble::Generation;
use crate::candidate::probation::Probation;
use crate::drain::Phase;
use crate::explain::Explanations;
use crate::plan::BodyPlan;
use crate::state::redis::Standing;
use crate::usage::Usage;

/// What the admin address shows.
#[derive(Default)]
pub struct Status {
    phase: AtomicU8,
    serving: ArcSwapOption<Serving>,
    last_refusal: ArcSwapOption<Refusal>,
    redis: ArcSwapOption<Standing>,
    /// The last explanations.
    pub explanations: Arc<Explanations>,
}

/// The generation that serves.
pub struct Serving {
    /// Its number.
    pub generation: u64,
    /// Where its configuration is.
    pub file: PathBuf,
    /// Since when it serves.
    pub since: SystemTime,
    routes: Vec<Value>,
    plugins: Vec<(String, Result<Arc<Plugin>, String>)>,
    candidates: BTreeMap<String, Arc<Probation>>,
    usage: Arc<Usage>,
    /// Without the servers of `[redis]` the gateway is not ready.
    needs_redis: bool,
}

/// A reload that was not published.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// Seconds since 1970.
    pub unix_seconds: u64,
    /// Why.
    pub reason: String,
}

impl Status {
    /// A generation serves now.
    pub fn publish(&self, generation: &Generation, number: u64, file: PathBuf) {
        let serving = Serving {
            generation: number,
            file,
            since: SystemTime::now(),
            routes: routes(generation),
            plugins: generation
                .plugins
                .iter()
                .map(|(name, plugin)| (name.clone(), plugin.clone()))
                .collect(),
            candidates: generation
                .candidates
                .iter()
                .map(|(name, candidate)| (name.clone(), Arc::clone(&candidate.probation)))
                .collect(),
            usage: Arc::clone(&generation.usage),
            needs_redis: generation.config.redis.as_ref().is_some_and(|redis| redis.required),
        };
        self.serving.store(Some(Arc::new(serving)));
        self.last_refusal.store(None);
    }

    /// Those servers of `[redis]` are used, if any are.
    pub fn watch_redis(&self, standing: Option<Arc<Standing>>) {
        self.redis.store(standing);
    }

    /// A reload was not published.
    pub fn refuse(&self, reason: String) {
        let unix_seconds = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.last_refusal
            .store(Some(Arc::new(Refusal { unix_seconds, reason })));
    }

    /// The gateway has come to another phase of its life.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Why the gateway should get no requests, if there is a reason.
    pub fn not_ready(&self) -> Option<String> {
        if self.phase.load(Ordering::Relaxed) != Phase::Serving as u8 {
            return Some("the gateway is stopping".to_owned());
        }
        let Some(serving) = self.serving.load_full() else {
            return Some("the gateway is starting".to_owned());
        };
        let missing = serving.plugins.iter().find_map(|(_, plugin)| plugin.as_ref().err());
        missing
            .cloned()
            .or_else(|| self.redis_problem().filter(|_| serving.needs_redis))
    }

    /// What is wrong although the gateway is ready.
    pub fn warnings(&self) -> Vec<String> {
        // In the moment of a start it is not known yet.
        let known = self
            .redis
            .load()
            .as_ref()
            .is_some_and(|standing| !standing.is_unknown());
        self.redis_problem().filter(|_| known).into_iter().collect()
    }

    fn redis_problem(&self) -> Option<String> {
        let problem = self.redis.load().as_ref()?.problem()?;
        Some(format!("the servers of `[redis]` cannot be used: {problem}"))
    }

    /// Whether there is a route of that name.
    ///
    /// # Errors
    /// That there is none, and which was meant.
    pub fn knows_route(&self, name: &str) -> Result<(), String> {
        let routes = self.routes();
        let routes = routes.get("routes").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<_> = routes.filter_map(|route| route.get("name")?.as_str()).collect();
        match names.contains(&name) {
            true => Ok(()),
            false => Err(format!(
                "there is no route `{name}`; {}",
                suggestion(name, names, "routes")
            )),
        }
    }

    /// `/routes`
    pub fn routes(&self) -> Value {
        let Some(serving) = self.serving.load_full() else {
            return Value::Null;
        };
        let since = serving
            .since
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        json!({
            "generation": serving.generation,
            "file": serving.file,
            "serving_since_unix_seconds": since,
            "last_refused_reload": self.last_refusal.load_full().as_deref(),
            "routes": serving.routes,
        })
    }

    /// The usage plans that hold now.
    pub fn usage(&self) -> Arc<Usage> {
        let serving = self.serving.load_full();
        serving.map(|serving| Arc::clone(&serving.usage)).unwrap_or_default()
    }

    /// `/plugins`
    pub fn plugins(&self) -> Value {
        let Some(serving) = self.serving.load_full() else {
            return Value::Null;
        };
        let plugin = |(name, plugin): &(String, Result<Arc<Plugin>, String>)| match plugin {
            Ok(plugin) => {
                let candidate = serving.candidates.get(name).map(|probation| probation.status());
                json!({
                    "name": name,
                    "loaded": true,
                    "plugin": plugin.summary(),
                    "runtime": plugin.runtime_stats(),
                    "candidate": candidate,
                })
            }
            Err(reason) => json!({ "name": name, "loaded": false, "reason": reason }),
        };
        json!({
            "generation": serving.generation,
            "last_refused_reload": self.last_refusal.load_full().as_deref(),
            "plugins": serving.plugins.iter().map(plugin).collect::<Vec<_>>(),
        })
    }
}

fn routes(generation: &Generation) -> Vec<Value> {
    let routes = generation.config.routes.iter().zip(&generation.plans);
    routes.map(|(config, plan)| route(config, plan)).collect()
}

fn route(route: &RouteConfig, plan: &BodyPlan) -> Value {
    let integration = match &route.integration {
        IntegrationConfig::Http(http) => format!("http:{}", http.upstream),
        IntegrationConfig::Respond(respond) => format!("respond:{}", respond.status),
        IntegrationConfig::Plugin(plugin) => format!("plugin:{}", plugin.plugin),
    };
    json!({
        "name": route.name,
        "line": route.place.line,
        "listeners": route.listeners,
        "hosts": route.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "path": route.path.to_string(),
        "methods": route.methods,
        "chain": route.chain.iter().map(|stage| stage.kind.to_string()).collect::<Vec<_>>(),
        "integration": integration,
        "bodies": plan.summary(),
    })
}
