//! What services answer in a case, and what was asked of them: stores with contents, clocks that stand still, requests
//! with answers.

mod outbound;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_config::cases::{CaseServices, HookName, PluginCase};
use gatewright_config::{PluginConfig, Rate};
use gatewright_core::{Expected, Scope, Space, State as _, StateError};
use gatewright_wasm::{Divergence, Granted, Observer, PluginKind, Script as Calls, Secret, Statement};

use self::outbound::Answers;
pub(crate) use self::outbound::{Sent, shown as shown_request};
use self::state::Contents;

/// A window that does not end while a case runs.
const WINDOW: Duration = Duration::from_secs(86_400);

/// More requests than anybody sends.
const ENDLESS: Rate = Rate {
    tokens: 1_000_000_000,
    per: Duration::from_secs(1),
};

/// The services of one case.
pub(crate) struct Script {
    config: PluginConfig,
    owner: String,
    secrets: BTreeMap<String, Secret>,
    state: Arc<Contents>,
    answers: Arc<Answers>,
    seen: Arc<Seen>,
    time: Option<Duration>,
    seed: Option<u64>,
    /// Every call of a service, instead of the rest.
    calls: Option<Arc<Calls>>,
    /// The only hook that is asked.
    only: Option<PluginKind>,
}

/// What was seen of the plugin that its answer does not say.
#[derive(Default)]
pub(crate) struct Seen {
    /// Requests to origins that are not granted.
    refused: Mutex<Vec<String>>,
    decided: Mutex<Option<Decided>>,
}

/// What an authorizer said besides its yes or no.
#[derive(Clone)]
pub(crate) struct Decided {
    pub(crate) ttl: Option<Duration>,
    pub(crate) policy: Vec<Statement>,
}

impl Script {
    /// For the plugin of this name, with these limits. Whoever measures asks for the same answers again and again.
    pub(crate) async fn new(
        owner: &str,
        limits: &PluginConfig,
        case: &PluginCase,
        again: bool,
    ) -> Result<Self, String> {
        let services = &case.services;
        let mut config = limits.clone();
        services.grant(&mut config.grants);
        if again {
            // No time passes in which buckets would be refilled.
            config.http.rate = ENDLESS;
        }
        let script = Self {
            owner: owner.to_owned(),
            secrets: services
                .secrets
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect(),
            state: Arc::new(Contents::new(&services.buckets)),
            answers: Arc::new(Answers::new(&services.http, &config.grants.http, again)),
            seen: Arc::default(),
            time: services.time,
            seed: services.seed,
            calls: services
                .calls
                .as_deref()
                .map(|calls| Arc::new(Calls::new(calls, again))),
            only: case.hook.map(kind),
            config,
        };
        script
            .fill(services)
            .await
            .map_err(|(name, error)| format!("cannot put what `services` has for `{name}`: {error}"))?;
        if let Some(reason) = &services.unavailable {
            script.state.leave(reason);
        }
        Ok(script)
    }

    /// Limits, and grants of what the case names.
    pub(crate) fn config(&self) -> &PluginConfig {
        &self.config
    }

    /// With whom the plugin is loaded.
    pub(crate) fn granted(&self) -> Granted {
        let state = Arc::<Contents>::clone(&self.state);
        let answers = Arc::<Answers>::clone(&self.answers);
        let seen = Arc::<Seen>::clone(&self.seen);
        Granted {
            secrets: self.secrets.clone(),
            state: Some(state),
            http: Some(answers),
            time: self.time,
            seed: self.seed,
            script: self.calls.clone(),
            only: self.only,
            observer: Some(seen),
            ..Granted::default()
        }
    }

    /// Where the plugin asked services for something else than the case has.
    pub(crate) fn divergence(&self) -> Option<Divergence> {
        self.calls.as_ref()?.divergence()
    }

    /// The requests that were sent, and those that should have been.
    pub(crate) fn sent(&self) -> Sent<'_> {
        self.answers.sent()
    }

    /// Requests that the case does not have, to origins that are granted and to others.
    pub(crate) fn unexpected(&self) -> Vec<String> {
        let mut requests = self.answers.sent().unexpected;
        requests.extend(lock(&self.seen.refused).iter().cloned());
        requests
    }

    /// What it decided, if it was asked.
    pub(crate) fn decided(&self) -> Option<Decided> {
        lock(&self.seen.decided).clone()
    }

    /// What is in a key-value store now.
    pub(crate) async fn kv(&self, name: &str, key: &str) -> Option<Vec<u8>> {
        let found = self.state.kept().get(self.space(name), key).await.ok()?;
        found.map(|entry| entry.value.to_vec())
    }

    /// What is in a cache now.
    pub(crate) async fn cache(&self, name: &str, key: &str) -> Option<Vec<u8>> {
        let found = self.state.kept().recall(self.space(name), key).await.ok()?;
        found.map(|value| value.to_vec())
    }

    /// What a counter has counted.
    pub(crate) async fn counter(&self, name: &str, key: &str) -> i64 {
        let counted = self.state.kept().add(self.space(name), key, 0, WINDOW);
        counted.await.unwrap_or_default()
    }

    async fn fill<'s>(&self, services: &'s CaseServices) -> Result<(), (&'s str, StateError)> {
        let kept = self.state.kept();
        for (name, entries) in &services.kv {
            for (key, value) in entries {
                let value = value.clone().into();
                let put = kept.put(self.space(name), key, Expected::Anything, value, None);
                put.await.map_err(|error| (name.as_str(), error))?;
            }
        }
        for (name, values) in &services.cache {
            for (key, value) in values {
                let put = kept.remember(self.space(name), key, value.clone().into(), WINDOW);
                put.await.map_err(|error| (name.as_str(), error))?;
            }
        }
        for (name, counts) in &services.counters {
            for (key, count) in counts {
                let added = kept.add(self.space(name), key, *count, WINDOW);
                added.await.map_err(|error| (name.as_str(), error))?;
            }
        }
        Ok(())
    }

    fn space<'s>(&'s self, name: &'s str) -> Space<'s> {
        Space {
            owner: &self.owner,
            name,
            bytes: u64::MAX,
            scope: Scope::Instance,
        }
    }
}

impl Observer for Seen {
    fn refused(&self, service: &'static str, what: &str) {
        // Hosts that a case says are private are refused, too, but not as URLs.
        if service == "http" && what.contains("://") {
            lock(&self.refused).push(what.to_owned());
        }
    }

    fn decided(&self, ttl: Option<Duration>, policy: &[Statement]) {
        *lock(&self.decided) = Some(Decided {
            ttl,
            policy: policy.to_vec(),
        });
    }
}

fn kind(hook: HookName) -> PluginKind {
    match hook {
        HookName::Authorizer => PluginKind::Authorizer,
        HookName::RequestTransform => PluginKind::RequestTransform,
        HookName::ResponseTransform => PluginKind::ResponseTransform,
        HookName::BodyFilter => PluginKind::BodyFilter,
        HookName::Integration => PluginKind::Integration,
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
