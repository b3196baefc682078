//! Usage plans: what the holders of API keys may use, what they have used, and how an operator corrects that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_config::{ApiKeyEntry, GatewayConfig, PlanThrottle, StageKind, UsagePlanConfig};
use gatewright_core::{Spent, State, StateError};
use gatewright_wasm::scope;
use serde_json::{Value, json};

use crate::assemble::{AssembleError, Mistakes};
use crate::limit::{Bucket, Meter};

/// Keys of one answer, unless it is asked for others, and at most: as Amazon API Gateway has it.
const PAGE: usize = 25;
const LONGEST_PAGE: usize = 500;

/// The files of API keys that a configuration names.
pub type KeyFiles = BTreeMap<PathBuf, Vec<ApiKeyEntry>>;

/// The usage plans of a configuration.
#[derive(Default)]
pub struct Usage {
    plans: BTreeMap<String, Arc<Plan>>,
}

/// A usage plan.
pub struct Plan {
    /// Its name.
    pub name: String,
    config: UsagePlanConfig,
    /// Those of all routes that have none of their own.
    buckets: Option<Arc<Bucket>>,
    /// What each key has used.
    meter: Option<Meter>,
    /// The names of its keys.
    keys: BTreeSet<String>,
    state: Arc<dyn State>,
}

/// What is asked for of a plan's usage.
#[derive(Debug, Default)]
pub struct Page {
    /// This key only.
    pub key: Option<String>,
    /// Keys after this one.
    pub position: Option<String>,
    /// So many.
    pub limit: Option<usize>,
}

/// What an operator says of a key's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// So much has been used.
    Used(u64),
    /// So much is left.
    Remaining(u64),
}

/// Why there is no answer about usage.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// There is no such plan.
    #[error("there is no usage plan `{0}`")]
    NoPlan(String),
    /// It has no such key.
    #[error("no key `{1}` has the usage plan `{0}`")]
    NoKey(String, String),
    /// It has no quota, so nothing is counted.
    #[error("the usage plan `{0}` has no quota")]
    NoQuota(String),
    /// The store cannot be asked.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Reads the files of API keys, each of them once, and checks what they say of usage plans. A file with mistakes is one, and
/// so is a key with a plan that there is not, or with two for one route.
pub fn read_keys(config: &GatewayConfig, mistakes: &mut Mistakes) -> KeyFiles {
    let mut files = KeyFiles::new();
    for route in &config.routes {
        for stage in &route.chain {
            let StageKind::ApiKey(api_key) = &stage.kind else {
                continue;
            };
            if files.contains_key(&api_key.keys.path) {
                continue;
            }
            let keys = gatewright_config::load_keys(&api_key.keys.path).map_err(|source| AssembleError::Keys {
                route: route.name.clone(),
                file: api_key.keys.clone(),
                source,
            });
            let keys = mistakes.keep(keys).unwrap_or_default();
            for wrong in keys.iter().filter_map(|key| wrong_plans(key, config)) {
                mistakes.add(AssembleError::Missing {
                    place: api_key.keys.place.clone(),
                    route: route.name.clone(),
                    reason: format!("{}: {}", api_key.keys.path.display(), wrong.0),
                    hint: Some(wrong.1),
                });
            }
            files.insert(api_key.keys.path.clone(), keys);
        }
    }
    files
}

/// What is wrong with the usage plans of a key, and what to do.
fn wrong_plans(key: &ApiKeyEntry, config: &GatewayConfig) -> Option<(String, &'static str)> {
    let name = &key.name;
    let unknown = key
        .usage_plans
        .iter()
        .find(|plan| !config.usage_plans.contains_key(*plan));
    if let Some(plan) = unknown {
        let wrong = format!("key `{name}` has the usage plan `{plan}`, which there is not");
        return Some((wrong, "add `[usage_plan.NAME]`, or name one that is there"));
    }
    config.routes.iter().find_map(|route| {
        let mut covering = key.usage_plans.iter().filter(|plan| {
            config
                .usage_plans
                .get(*plan)
                .is_some_and(|plan| plan.covers(&route.name))
        });
        let (first, second) = (covering.next()?, covering.next()?);
        let route = &route.name;
        let wrong = format!("key `{name}` has two usage plans for the route `{route}`, `{first}` and `{second}`");
        Some((wrong, "name in `routes` of the plans what each is for"))
    })
}

impl Usage {
    /// The plans, and who has them.
    pub fn new(config: &GatewayConfig, files: &KeyFiles, state: &Arc<dyn State>) -> Self {
        let plan = |(name, plan): (&String, &UsagePlanConfig)| {
            let keys = files.values().flatten().filter(|key| key.usage_plans.contains(name));
            let keys = keys.map(|key| key.name.clone()).collect();
            (name.clone(), Arc::new(Plan::new(name, plan, keys, state)))
        };
        Self {
            plans: config.usage_plans.iter().map(plan).collect(),
        }
    }

    /// The plan of that name.
    pub fn plan(&self, name: &str) -> Option<&Arc<Plan>> {
        self.plans.get(name)
    }

    /// The plans that are for a route.
    pub fn covering<'u>(&'u self, route: &str) -> impl Iterator<Item = &'u Arc<Plan>> {
        self.plans.values().filter(move |plan| plan.config.covers(route))
    }

    /// All plans, for operators.
    pub fn overview(&self) -> Value {
        let plan = |plan: &Arc<Plan>| {
            json!({
                "plan": plan.name,
                "throttle": plan.config.throttle,
                "quota": plan.config.quota,
                "routes": plan.config.routes,
                "keys": plan.keys.len(),
            })
        };
        json!({ "plans": self.plans.values().map(plan).collect::<Vec<_>>() })
    }

    /// What the keys of a plan have used.
    ///
    /// # Errors
    /// When there is no such plan, key or quota, or the store cannot be asked.
    pub async fn of(&self, plan: &str, page: &Page) -> Result<Value, UsageError> {
        let (plan, meter) = self.metered(plan)?;
        if let Some(key) = &page.key {
            let key = plan.key(key)?;
            let spent = meter.look(&counted_as(key)).await?;
            return Ok(json!({ "plan": plan.name, "keys": [shown(key, spent)] }));
        }
        let limit = page.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let after = |key: &&String| page.position.as_ref().is_none_or(|position| *key > position);
        let mut found = plan.keys.iter().filter(after);
        let mut keys = Vec::new();
        for key in found.by_ref().take(limit) {
            keys.push(shown(key, meter.look(&counted_as(key)).await?));
        }
        let last = keys.last().map(|key| key["key"].clone());
        let position = found.next().and(last);
        Ok(json!({ "plan": plan.name, "keys": keys, "position": position }))
    }

    /// Says what a key has used in this period.
    ///
    /// # Errors
    /// When there is no such plan, key or quota, or the store cannot be asked.
    pub async fn correct(&self, plan: &str, key: &str, correction: Correction) -> Result<Value, UsageError> {
        let (plan, meter) = self.metered(plan)?;
        let key = plan.key(key)?;
        let used = match correction {
            Correction::Used(used) => used,
            Correction::Remaining(remaining) => meter.quota().limit.saturating_sub(remaining),
        };
        let spent = meter.correct(&counted_as(key), used).await?;
        tracing::info!(plan = plan.name, key, used, "an operator has said what was used");
        Ok(json!({ "plan": plan.name, "keys": [shown(key, spent)] }))
    }

    fn metered(&self, plan: &str) -> Result<(&Arc<Plan>, &Meter), UsageError> {
        let known = self
            .plans
            .get(plan)
            .ok_or_else(|| UsageError::NoPlan(plan.to_owned()))?;
        let meter = known
            .meter
            .as_ref()
            .ok_or_else(|| UsageError::NoQuota(plan.to_owned()))?;
        Ok((known, meter))
    }
}

impl Plan {
    fn new(name: &str, config: &UsagePlanConfig, keys: BTreeSet<String>, state: &Arc<dyn State>) -> Self {
        let scope = scope(config.scope);
        let limit = format!("plan:{name}");
        Self {
            name: name.to_owned(),
            buckets: config.throttle.map(|PlanThrottle { rate, burst }| {
                Arc::new(Bucket::new(limit.clone(), rate, burst, scope, Arc::clone(state)))
            }),
            meter: config
                .quota
                .map(|rule| Meter::new(limit, rule, scope, Arc::clone(state))),
            keys,
            config: config.clone(),
            state: Arc::clone(state),
        }
    }

    /// How fast its keys may come on a route.
    pub fn buckets(&self, route: &str) -> Option<Arc<Bucket>> {
        let Some(PlanThrottle { rate, burst }) = self.config.route_throttle.get(route).copied() else {
            return self.buckets.clone();
        };
        let (name, scope) = (format!("plan:{}:{route}", self.name), scope(self.config.scope));
        Some(Arc::new(Bucket::new(name, rate, burst, scope, Arc::clone(&self.state))))
    }

    /// How much its keys may use.
    pub fn meter(&self) -> Option<&Meter> {
        self.meter.as_ref()
    }

    fn key<'k>(&'k self, key: &str) -> Result<&'k String, UsageError> {
        let missing = || UsageError::NoKey(self.name.clone(), key.to_owned());
        self.keys.get(key).ok_or_else(missing)
    }
}

/// The key under which [`crate::limit::LimitKey::ApiKey`] counts an API key.
fn counted_as(name: &str) -> String {
    format!("key:{name}")
}

fn shown(key: &str, spent: Spent) -> Value {
    json!({
        "key": key,
        "used": spent.used,
        "remaining": spent.remaining,
        "next_period_in_seconds": spent.reset.as_secs(),
    })
}
