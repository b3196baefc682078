//! The gateway's own numbers, in Prometheus' form. `docs/METRICS.md` has a row for each; a test keeps it so.

mod cache;
mod candidates;
mod ejections;
pub mod facts;
mod issuers;
mod listeners;
mod records;
mod routes;
mod stages;
mod state;
mod waf;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use self::cache::{CacheMetrics, DiskRead, DiskWrite, Revalidated, RouteCacheMetrics};
pub use self::candidates::CandidateMetrics;
use self::candidates::Candidates;
pub use self::ejections::EjectionMetrics;
use self::ejections::Ejections;
use self::facts::{Facts, FactsCollector};
pub use self::issuers::IssuerMetrics;
use self::issuers::Issuers;
pub use self::listeners::ListenerMetrics;
use self::listeners::Listeners;
pub use self::records::Telemetry;
use self::routes::Routes;
pub use self::routes::shown_status;
pub use self::stages::StageMetrics;
use self::stages::Stages;
pub use self::state::StateMetrics;
pub use self::waf::WafMetrics;

/// Every number of the process. Lives across reloads, so that counters never go back.
#[derive(Default)]
pub struct Metrics {
    routes: Routes,
    stages: Stages,
    candidates: Candidates,
    ejections: Ejections,
    reloads: Family<ReloadLabels, Counter>,
    generation: Gauge,
    last_reload_successful: Gauge,
    last_reload_success: Gauge,
    build: Family<BuildLabels, Gauge>,
    listeners: Listeners,
    facts: Arc<ArcSwapOption<Facts>>,
    dropped_records: Counter,
    shed_connections: Counter,
    shed_places: Family<GroupLabels, Gauge>,
    state: StateMetrics,
    issuers: Issuers,
    cache: CacheMetrics,
    /// What the stage `waf` finds.
    pub waf: waf::Findings,
}

/// A name that is shared, not copied, with every count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub Arc<str>);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&&*self.0, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    group: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

impl Metrics {
    /// Makes every number visible in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(FactsCollector(Arc::clone(&self.facts))));
        let gatewright = registry.sub_registry_with_prefix("gatewright");
        self.routes.register(gatewright);
        self.stages.register(gatewright);
        self.candidates.register(gatewright);
        self.ejections.register(gatewright);
        gatewright.register(
            "reloads",
            "Attempts to load configuration or plugins anew",
            self.reloads.clone(),
        );
        gatewright.register(
            "generation",
            "Number of the configuration that serves",
            self.generation.clone(),
        );
        gatewright.register(
            "access_log_dropped",
            "Access records that were not written because the log was too slow",
            self.dropped_records.clone(),
        );
        gatewright.register(
            "connections_shed",
            "Idle connections closed because the process had no file descriptor left for new clients",
            self.shed_connections.clone(),
        );
        gatewright.register(
            "shed_places",
            "Requests that the stage `shed` lets in at the same time",
            self.shed_places.clone(),
        );
        gatewright.register(
            "last_reload_successful",
            "Whether the last attempt to load configuration or plugins was published",
            self.last_reload_successful.clone(),
        );
        gatewright.register(
            "last_reload_success_timestamp_seconds",
            "When configuration and plugins were last published",
            self.last_reload_success.clone(),
        );
        let version = env!("CARGO_PKG_VERSION");
        self.build.get_or_create(&BuildLabels { version }).set(1);
        gatewright.register("build_info", "What the gateway was built from", self.build.clone());
        self.listeners.register(gatewright);
        self.state.register(gatewright);
        self.issuers.register(gatewright);
        self.cache.register(gatewright);
        self.waf.register(gatewright);
    }

    /// How many requests a group of stages `shed` lets in.
    pub fn shed_places(&self, group: &str) -> Gauge {
        let group = Name(group.into());
        self.shed_places.get_or_create_owned(&GroupLabels { group })
    }

    /// Numbers of one stage in one route.
    pub fn stage(&self, route: &Arc<str>, stage: &Arc<str>) -> StageMetrics {
        self.stages.stage(route, stage)
    }

    /// Numbers of the candidate of that plugin.
    pub fn candidate(&self, plugin: &Arc<str>) -> CandidateMetrics {
        self.candidates.candidate(plugin)
    }

    /// Counts a reload.
    pub fn reloaded(&self, generation: Option<u64>) {
        let result = if generation.is_some() { "published" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
        self.last_reload_successful.set(i64::from(generation.is_some()));
        if let Some(generation) = generation {
            self.last_reload_success.set(facts::now_seconds());
            self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        }
    }

    /// What the generation that serves has is this from now on.
    pub fn serves(&self, facts: Facts) {
        self.facts.store(Some(Arc::new(facts)));
    }

    /// Numbers of one listener.
    pub fn listener(&self, listener: &str) -> ListenerMetrics {
        self.listeners.listener(listener)
    }

    /// Counts access records that nobody will read.
    pub fn dropped_records(&self) -> Counter {
        self.dropped_records.clone()
    }

    /// Counts idle connections that had to make room for others.
    pub fn shed_connections(&self) -> Counter {
        self.shed_connections.clone()
    }

    /// Numbers of the response cache.
    pub fn cache(&self) -> CacheMetrics {
        self.cache.clone()
    }

    /// Numbers of the state server.
    pub fn state(&self) -> StateMetrics {
        self.state.clone()
    }

    /// Numbers of the targets of one upstream that are left out.
    pub fn ejections(&self, upstream: &str) -> EjectionMetrics {
        self.ejections.upstream(upstream)
    }

    /// Numbers of what one issuer is asked for.
    pub fn issuer(&self, issuer: &str, request: &'static str) -> IssuerMetrics {
        self.issuers.issuer(issuer, request)
    }
}
