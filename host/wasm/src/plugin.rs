//! A loaded plugin: a checked and linked component with its limits. Shared by everything that uses it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use gatewright_config::gateway::{Grants, InstancePolicy, PluginConfig, PluginIntegrationConfig, PluginStageConfig};
use gatewright_core::{ExchangeId, Integration, RouteName, Stage};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError};

use crate::api::Needs;
use crate::bodies::BodyRules;
use crate::configuration::{Schema, Settings};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::granted::Granted;
use crate::instance::{Component, Instance};
use crate::integration::PluginIntegration;
use crate::kind::{Kinds, PluginKind};
use crate::limits::Limits;
use crate::loading::Compiled;
use crate::log_gate::{LogGate, LogGates};
use crate::metrics::{LastTrap, RouteStats, RuntimeStats};
use crate::plugin_host::{CallObserver, Shared};
use crate::proxy::ProxyIntegration;
use crate::recording::Recorder;
use crate::runtime::Runtime;
use crate::stage::PluginStage;
use crate::state::Caller;
use crate::summary::PluginSummary;
use crate::tape::Tape;
use crate::{PluginError, PluginFile, component, describing};

/// A loaded plugin.
pub struct Plugin {
    file: PluginFile,
    summary: PluginSummary,
    kinds: Kinds,
    needs: Needs,
    schema: Option<Schema>,
    component: Component,
    caller: Arc<Caller>,
    digest: Digest,
    compile_time: Option<Duration>,
    /// Calls that may run at once.
    places: Arc<Semaphore>,
    /// Bodies of requests and of responses that may be filtered at once. Apart, because an exchange that has a place
    /// among the first may wait for one among the others.
    filter_places: [Arc<Semaphore>; 2],
    runtimes: Mutex<HashMap<Digest, Weak<Runtime>>>,
    recorder: Option<Recorder>,
    failures: LogGate,
    skips: LogGate,
    observer: Option<Arc<dyn CallObserver>>,
    shared: Arc<Shared>,
}

/// One use of a plugin in a route's chain.
#[derive(Clone, Copy, Debug)]
pub struct StageUse<'a> {
    /// What the file says.
    pub config: &'a PluginStageConfig,
    /// The route.
    pub route: &'a RouteName,
    /// No stage after this one in the route's chain is an authorizer plugin: when this one abstains and none before
    /// it let the request pass, the exchange is denied.
    pub last_authorizer: bool,
}

impl Plugin {
    /// Links a compiled component and asks it what it is.
    pub(crate) async fn link(
        file: PluginFile,
        compiled: Compiled,
        config: &PluginConfig,
        granted: Granted,
        observer: Option<Arc<dyn CallObserver>>,
        shared: Arc<Shared>,
    ) -> Result<Self, PluginError> {
        let limits = Limits::from(config);
        let machine = shared.machines.of(compiled.concurrency)?;
        let (component, kinds) = component::link(&file, &compiled.component, &limits, machine)?;
        let name: Arc<str> = file.name.as_str().into();
        let stats = match observer {
            Some(_) => shared.metrics.plugin(&format!("{name}.next").into()),
            None => shared.metrics.plugin(&name),
        };
        // What it is it says before it has anything: the interface promises that to operators.
        let stranger = Arc::new(Caller {
            name: Arc::clone(&name),
            limits: Limits {
                grants: Grants::default(),
                ..limits.clone()
            },
            stats: Arc::clone(&stats),
            custom: Arc::clone(&shared.metrics.custom),
            leases: Arc::clone(&shared.leases),
            granted: Granted::default(),
            refusals: LogGates::default(),
        });
        let caller = Arc::new(Caller {
            name,
            limits,
            stats,
            custom: Arc::clone(&shared.metrics.custom),
            leases: Arc::clone(&shared.leases),
            granted,
            refusals: LogGates::default(),
        });
        let secrets = caller.granted.secrets.values();
        let secrets = secrets.map(|secret| String::from_utf8_lossy(secret.bytes()).into_owned());
        let recorder = config.record.clone().map(|config| Recorder::new(config, secrets));
        let description = describing::describe(&file, &component, &stranger, &shared).await?;
        let standard = component.exports.standard().map(str::to_owned);
        if matches!(caller.limits.instances, InstancePolicy::Reuse(_)) && !description.reusable {
            return Err(PluginError::Use {
                plugin: file,
                reason: match standard {
                    None => {
                        "it says that an instance may serve one call only (`reuse` is `fresh`); \
                             remove `instances` from its section"
                    }
                    Some(_) => {
                        "an instance of a `wasi:http` component serves one request; remove `instances` from its section"
                    }
                }
                .to_owned(),
            });
        }
        describing::filters(&file, &description, kinds)?;
        let kinds = match caller.granted.only {
            Some(kind) => kinds.only(kind),
            None => kinds,
        };
        let schema = description
            .schema
            .as_ref()
            .map(|schema| Schema::compile(&file, schema))
            .transpose()?;
        let bodies = BodyRules::of(&file, description.schema.as_ref())?;
        let summary = PluginSummary::of(&file, &description, &compiled, kinds, standard, bodies);
        Ok(Self {
            summary,
            kinds,
            needs: description.needs,
            schema,
            component,
            places: Arc::new(Semaphore::new(caller.limits.concurrency)),
            filter_places: [(); 2].map(|()| Arc::new(Semaphore::new(caller.limits.concurrency))),
            caller,
            digest: compiled.digest,
            compile_time: compiled.time,
            runtimes: Mutex::default(),
            recorder,
            failures: LogGate::new(),
            skips: LogGate::new(),
            observer,
            shared,
            file,
        })
    }

    /// What it is, for people and tools.
    pub fn summary(&self) -> &PluginSummary {
        &self.summary
    }

    /// Whether it decides who may pass: what [`StageUse::last_authorizer`] is about.
    pub fn is_authorizer(&self) -> bool {
        self.kinds.has(PluginKind::Authorizer)
    }

    /// One stage of a route: an authorizer, a transform, or several of them in one. The same configuration gives
    /// the same runtime.
    ///
    /// # Errors
    /// When the plugin is no stage, refuses its configuration, or does not fit the route's settings.
    pub async fn stage(self: &Arc<Self>, use_: StageUse<'_>) -> Result<Arc<dyn Stage>, PluginError> {
        let stage = PluginStage::check(self, use_)?;
        let runtime = self.runtime(&use_.config.config).await?;
        Ok(Arc::new(stage.with(runtime, self.caller.stats.route(use_.route))))
    }

    /// A route's integration.
    ///
    /// # Errors
    /// When the plugin is none, or refuses its configuration.
    pub async fn integration(
        self: &Arc<Self>,
        config: &PluginIntegrationConfig,
        route: &RouteName,
    ) -> Result<Arc<dyn Integration>, PluginError> {
        if !self.kinds.has(PluginKind::Integration) {
            return Err(self.unusable(format!("it is no `integration`; it exports {}", self.kinds.list())));
        }
        let runtime = self.runtime(&config.config).await?;
        let stats = self.caller.stats.route(route);
        if self.component.exports.standard().is_some() {
            return Ok(Arc::new(ProxyIntegration::new(runtime, stats)));
        }
        Ok(Arc::new(PluginIntegration::new(runtime, stats, config.body_bytes.0)))
    }

    /// What it has done so far.
    pub fn runtime_stats(&self) -> RuntimeStats {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<_> = runtimes.values().filter_map(Weak::upgrade).collect();
        drop(runtimes);
        self.caller
            .stats
            .report(alive.len(), alive.iter().filter(|runtime| runtime.is_resting()).count())
    }

    /// The runtime of that configuration: the one there is, or a new one if the plugin accepts it.
    async fn runtime(self: &Arc<Self>, config: &serde_json::Value) -> Result<Arc<Runtime>, PluginError> {
        let schema = self.summary.config_schema.as_ref();
        let settings = Settings::of(&self.caller.name, config, schema, &self.caller.granted.secrets);
        let settings = settings.map_err(|errors| PluginError::Config {
            plugin: self.file.clone(),
            errors,
        })?;
        let digest = Digest::of_parts([
            self.digest.bytes().as_slice(),
            self.caller.name.as_bytes(),
            settings.text().as_bytes(),
            // Decisions are cached under this: what was decided with another secret is no decision.
            self.caller.granted.digest().bytes(),
        ]);
        if let Some(known) = self.known_runtime(&digest) {
            return Ok(known);
        }
        if let Some(schema) = &self.schema {
            schema.check(&self.file, &settings)?;
        }
        describing::try_configure(&self.file, &self.component, &self.caller, &self.shared, &settings).await?;
        if let Some(known) = self.known_runtime(&digest) {
            return Ok(known);
        }
        let runtime = Arc::new(Runtime::new(Arc::clone(self), settings, digest));
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.retain(|_, runtime| runtime.strong_count() > 0);
        runtimes.insert(digest, Arc::downgrade(&runtime));
        drop(runtimes);
        self.shared.runtimes.add(Arc::downgrade(&runtime));
        Ok(runtime)
    }

    fn known_runtime(&self, digest: &Digest) -> Option<Arc<Runtime>> {
        self.runtimes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .and_then(Weak::upgrade)
    }

    /// A place among the calls that may run at once, and since when; waits for one as long as it may.
    pub(crate) async fn place(
        &self,
        now: Instant,
        end: Instant,
        stats: &RouteStats,
    ) -> Result<(SemaphorePermit<'_>, Instant), Failure> {
        match self.places.try_acquire() {
            Ok(place) => Ok((place, now)),
            Err(TryAcquireError::Closed) => Err(Failure::Saturated),
            Err(TryAcquireError::NoPermits) => self.queue(self.places.acquire(), now, end, stats).await,
        }
    }

    /// The same, to be kept by a guest that runs in a task of its own.
    pub(crate) async fn place_of_its_own(
        &self,
        now: Instant,
        end: Instant,
        stats: &RouteStats,
    ) -> Result<(OwnedSemaphorePermit, Instant), Failure> {
        self.kept_place(&self.places, now, end, stats).await
    }

    /// The same among the filters of bodies of one direction. It is kept as long as the filter lives.
    pub(crate) async fn filter_place(
        &self,
        of_response: bool,
        now: Instant,
        end: Instant,
        stats: &RouteStats,
    ) -> Result<(OwnedSemaphorePermit, Instant), Failure> {
        let [requests, responses] = &self.filter_places;
        self.kept_place(if of_response { responses } else { requests }, now, end, stats)
            .await
    }

    async fn kept_place(
        &self,
        places: &Arc<Semaphore>,
        now: Instant,
        end: Instant,
        stats: &RouteStats,
    ) -> Result<(OwnedSemaphorePermit, Instant), Failure> {
        match Arc::clone(places).try_acquire_owned() {
            Ok(place) => Ok((place, now)),
            Err(TryAcquireError::Closed) => Err(Failure::Saturated),
            Err(TryAcquireError::NoPermits) => self.queue(Arc::clone(places).acquire_owned(), now, end, stats).await,
        }
    }

    async fn queue<P>(
        &self,
        place: impl Future<Output = Result<P, AcquireError>>,
        now: Instant,
        end: Instant,
        stats: &RouteStats,
    ) -> Result<(P, Instant), Failure> {
        let in_queue = stats.wait(now);
        let patience = (now + self.caller.limits.queue_timeout).min(end);
        let place = tokio::time::timeout_at(patience.into(), place).await;
        drop(in_queue);
        let place = place.ok().and_then(Result::ok).ok_or(Failure::Saturated)?;
        Ok((place, Instant::now()))
    }

    /// A new instance, not configured yet.
    pub(crate) async fn instance(
        &self,
        exchange: Option<ExchangeId>,
        cpu_ticks: u32,
    ) -> wasmtime::Result<Box<Instance>> {
        Instance::make(&self.component, &self.caller, exchange, cpu_ticks).await
    }

    /// Counts and logs a failed call.
    pub(crate) fn note(&self, kind: PluginKind, failure: &Failure, stats: &RouteStats) {
        let Some(reason) = failure.trap_reason() else {
            return;
        };
        stats.trapped(reason);
        let trap = LastTrap::new(stats.route(), kind.as_str(), failure);
        self.caller.stats.broke_off(trap);
        if let Some(suppressed) = self.failures.open() {
            tracing::warn!(
                plugin = %self.caller.name,
                version = %self.summary.version,
                hook = kind.as_str(),
                suppressed,
                "plugin call failed: {failure}"
            );
        }
    }

    /// Logs a failure that `on_fault = "skip"` passed over.
    pub(crate) fn note_skipped(&self, failure: &Failure) {
        if let Some(suppressed) = self.skips.open() {
            tracing::warn!(plugin = %self.caller.name, suppressed, "plugin passed over: {failure}");
        }
    }

    /// An error of a route that wants of the plugin what it is not.
    pub(crate) fn unusable(&self, reason: String) -> PluginError {
        PluginError::Use {
            plugin: self.file.clone(),
            reason,
        }
    }

    /// Who is told of its calls.
    pub(crate) fn observer(&self) -> Option<&dyn CallObserver> {
        self.observer.as_deref()
    }

    pub(crate) fn kinds(&self) -> Kinds {
        self.kinds
    }

    pub(crate) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Where answers of services go to, or come from, in a call that begins.
    pub(crate) fn tape(&self) -> Option<Tape> {
        if let Some(script) = &self.caller.granted.script {
            script.begin();
            return Some(Tape::Playing(Arc::clone(script)));
        }
        self.recorder().map(|recorder| Tape::Noting(recorder.listen()))
    }

    /// Writes its calls down, where the configuration says so.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn file(&self) -> &PluginFile {
        &self.file
    }

    /// None when its code came from the store.
    pub(crate) fn compile_time(&self) -> Option<Duration> {
        self.compile_time
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
