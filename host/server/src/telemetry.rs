//! The gateway's own numbers, in Prometheus' form. `docs/METRICS.md` has a row for each; a test keeps it so.

mod cache;
mod ejections;
pub mod facts;
mod issuers;
mod listeners;
mod state;
mod waf;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use gatewright_config::LogField;
use gatewright_core::{AccessRecord, Flow, Outcome, Problem, Recorder, RouteName};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use self::cache::{CacheMetrics, DiskRead, DiskWrite, Revalidated, RouteCacheMetrics};
pub use self::ejections::EjectionMetrics;
use self::ejections::Ejections;
use self::facts::{Facts, FactsCollector};
pub use self::issuers::IssuerMetrics;
use self::issuers::Issuers;
pub use self::listeners::ListenerMetrics;
use self::listeners::Listeners;
pub use self::state::StateMetrics;
pub use self::waf::WafMetrics;
use crate::access_log::AccessLog;

/// Upper bounds of the latency histograms, in seconds: from a cache hit to a slow report.
const LATENCIES: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];
/// Upper bounds of the stages' histograms, in seconds: stages take microseconds.
const STAGE_TIMES: [f64; 10] = [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0];

type Seconds = Family<RouteLabels, Histogram, fn() -> Histogram>;
type StageSeconds = Family<StageLabels, Histogram, fn() -> Histogram>;

/// Every number of the process. Lives across reloads, so that counters never go back.
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    problems: Family<ProblemLabels, Counter>,
    request_seconds: Seconds,
    upstream_seconds: Family<UpstreamLabels, Histogram, fn() -> Histogram>,
    ejections: Ejections,
    request_bytes: Family<RouteLabels, Counter>,
    response_bytes: Family<RouteLabels, Counter>,
    stage_calls: Family<StageOutcomeLabels, Counter>,
    stage_seconds: StageSeconds,
    reloads: Family<ReloadLabels, Counter>,
    candidate_requests: Family<CandidateLabels, Counter>,
    candidates: Family<PluginLabels, Gauge>,
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
struct RequestLabels {
    listener: Name,
    route: Name,
    method: &'static str,
    status: u16,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    route: Name,
    error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    route: Name,
    stage: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageOutcomeLabels {
    route: Name,
    stage: Name,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CandidateLabels {
    plugin: Name,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: Name,
}

/// Numbers of one plugin's candidate.
#[derive(Clone, Debug)]
pub struct CandidateMetrics {
    /// 1 while one is on trial.
    pub on_trial: Gauge,
    /// Requests that a canary served.
    pub served: Counter,
    /// Requests that a shadow answered as the version that serves.
    pub same: Counter,
    /// … with other edits.
    pub other_edits: Counter,
    /// … with another decision.
    pub other_decision: Counter,
    /// … was not asked about, because others were under way.
    pub left_out: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        fn latencies() -> Histogram {
            Histogram::new(LATENCIES)
        }
        fn stage_times() -> Histogram {
            Histogram::new(STAGE_TIMES)
        }
        Self {
            requests: Family::default(),
            problems: Family::default(),
            request_seconds: Family::new_with_constructor(latencies),
            upstream_seconds: Family::new_with_constructor(latencies),
            ejections: Ejections::default(),
            request_bytes: Family::default(),
            response_bytes: Family::default(),
            stage_calls: Family::default(),
            stage_seconds: Family::new_with_constructor(stage_times),
            reloads: Family::default(),
            candidate_requests: Family::default(),
            candidates: Family::default(),
            generation: Gauge::default(),
            last_reload_successful: Gauge::default(),
            last_reload_success: Gauge::default(),
            build: Family::default(),
            listeners: Listeners::default(),
            facts: Arc::default(),
            dropped_records: Counter::default(),
            shed_connections: Counter::default(),
            shed_places: Family::default(),
            state: StateMetrics::default(),
            issuers: Issuers::default(),
            cache: CacheMetrics::default(),
            waf: waf::Findings::default(),
        }
    }
}

impl Metrics {
    /// Makes every number visible in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(FactsCollector(Arc::clone(&self.facts))));
        let gatewright = registry.sub_registry_with_prefix("gatewright");
        gatewright.register("requests", "Exchanges that have ended", self.requests.clone());
        gatewright.register(
            "problems",
            "Exchanges that had a problem, by its code",
            self.problems.clone(),
        );
        gatewright.register_with_unit(
            "request_duration",
            "From a request's header section to the end of its response",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        gatewright.register_with_unit(
            "upstream_duration",
            "From asking an upstream to its response's header section",
            Unit::Seconds,
            self.upstream_seconds.clone(),
        );
        self.ejections.register(gatewright);
        gatewright.register_with_unit(
            "request_body",
            "Body bytes from clients",
            Unit::Bytes,
            self.request_bytes.clone(),
        );
        gatewright.register_with_unit(
            "response_body",
            "Body bytes to clients",
            Unit::Bytes,
            self.response_bytes.clone(),
        );
        gatewright.register(
            "stage_calls",
            "Requests that a stage has seen, by what it did",
            self.stage_calls.clone(),
        );
        gatewright.register_with_unit(
            "stage_duration",
            "Time that a stage took for a request or a response",
            Unit::Seconds,
            self.stage_seconds.clone(),
        );
        gatewright.register(
            "reloads",
            "Attempts to load configuration or plugins anew",
            self.reloads.clone(),
        );
        gatewright.register(
            "plugin_candidate_requests",
            "Requests that new versions of plugins on trial had to do with",
            self.candidate_requests.clone(),
        );
        gatewright.register(
            "plugin_candidates",
            "New versions of plugins that are on trial",
            self.candidates.clone(),
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
        let labels = StageLabels {
            route: Name(Arc::clone(route)),
            stage: Name(Arc::clone(stage)),
        };
        let calls = |outcome| {
            let labels = StageOutcomeLabels {
                route: Name(Arc::clone(route)),
                stage: Name(Arc::clone(stage)),
                outcome,
            };
            self.stage_calls.get_or_create_owned(&labels)
        };
        StageMetrics {
            proceeded: calls("proceed"),
            answered: calls("answer"),
            failed: calls("problem"),
            seconds: self.stage_seconds.get_or_create_owned(&labels),
        }
    }

    /// Numbers of the candidate of that plugin.
    pub fn candidate(&self, plugin: &Arc<str>) -> CandidateMetrics {
        let plugin = Name(Arc::clone(plugin));
        let requests = |outcome| {
            let plugin = plugin.clone();
            self.candidate_requests
                .get_or_create_owned(&CandidateLabels { plugin, outcome })
        };
        CandidateMetrics {
            served: requests("served"),
            same: requests("same"),
            other_edits: requests("other_edits"),
            other_decision: requests("other_decision"),
            left_out: requests("left_out"),
            on_trial: self.candidates.get_or_create_owned(&PluginLabels { plugin }),
        }
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

    /// Numbers of one route, of the upstream that it leads to, if any. Without a name, of requests that found no route.
    fn route(&self, route: Option<&RouteName>, upstream: Option<&Arc<str>>) -> RouteNumbers {
        let route = Name(route.map_or_else(|| Arc::from(""), Arc::clone));
        let labels = RouteLabels { route: route.clone() };
        let upstream_seconds = upstream.map(|upstream| {
            let labels = UpstreamLabels {
                upstream: Name(Arc::clone(upstream)),
            };
            self.upstream_seconds.get_or_create_owned(&labels)
        });
        RouteNumbers {
            seconds: self.request_seconds.get_or_create_owned(&labels),
            request_bytes: self.request_bytes.get_or_create_owned(&labels),
            response_bytes: self.response_bytes.get_or_create_owned(&labels),
            upstream_seconds,
            problems: self.problems.clone(),
            requests: self.requests.clone(),
            seen: RwLock::default(),
            route,
        }
    }
}

/// Numbers of one route, found once: what every request counts is not looked up by its labels again.
struct RouteNumbers {
    route: Name,
    seconds: Histogram,
    request_bytes: Counter,
    response_bytes: Counter,
    upstream_seconds: Option<Histogram>,
    problems: Family<ProblemLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    // A route has a handful of kinds of outcomes, mostly one.
    seen: RwLock<Vec<(RequestLabels, Counter)>>,
}

impl RouteNumbers {
    fn count(&self, record: &AccessRecord) {
        self.seconds.observe(record.elapsed().as_secs_f64());
        if let (Some(seconds), Some(time)) = (&self.upstream_seconds, record.upstream_time) {
            seconds.observe(time.as_secs_f64());
        }
        if let Some(upload) = &record.upload {
            self.request_bytes.inc_by(upload.bytes());
        }
        self.response_bytes.inc_by(record.response_bytes);
        if let Some(problem) = record.problem {
            let labels = ProblemLabels {
                route: self.route.clone(),
                error: problem.code(),
            };
            self.problems.get_or_create(&labels).inc();
        }
        self.count_request(record);
    }

    fn count_request(&self, record: &AccessRecord) {
        let (method, status) = (known_method(record.method.as_str()), shown_status(record));
        let outcome = record.outcome.as_str();
        let is_this = |labels: &RequestLabels| {
            labels.status == status
                && labels.method == method
                && labels.outcome == outcome
                && labels.listener.0 == record.listener
        };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = seen.iter().find(|(labels, _)| is_this(labels)) {
            counter.inc();
            return;
        }
        drop(seen);
        let labels = RequestLabels {
            listener: Name(Arc::clone(&record.listener)),
            route: self.route.clone(),
            method,
            status,
            outcome,
        };
        let counter = self.requests.get_or_create_owned(&labels);
        counter.inc();
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if !seen.iter().any(|(labels, _)| is_this(labels)) {
            seen.push((labels, counter));
        }
    }
}

/// Methods are the client's to choose, labels are not.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// The status, or 499 for a client that left before it had one.
pub fn shown_status(record: &AccessRecord) -> u16 {
    match record.outcome {
        Outcome::ClientGone => 499,
        _ => record.status.unwrap_or(499),
    }
}

/// Numbers of one stage in one route.
pub struct StageMetrics {
    proceeded: Counter,
    answered: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl StageMetrics {
    /// Counts a request.
    pub fn request(&self, flow: &Result<Flow, Problem>, took: Duration) {
        match flow {
            Ok(Flow::Proceed) => self.proceeded.inc(),
            Ok(Flow::Answer(_)) => self.answered.inc(),
            Err(_) => self.failed.inc(),
        };
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a response.
    pub fn response(&self, result: &Result<(), Problem>, took: Duration) {
        if result.is_err() {
            self.failed.inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }
}

/// Where access records go: into the numbers, and into the log if there is one. As it is, it takes the records of
/// requests that found no route.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    access_log: Option<AccessLog>,
    unrouted: RouteNumbers,
    cuts_off: AtomicBool,
}

impl Telemetry {
    /// Records go to these.
    pub fn new(metrics: Arc<Metrics>, access_log: Option<AccessLog>) -> Arc<Self> {
        let unrouted = metrics.route(None, None);
        Arc::new(Self {
            metrics,
            access_log,
            unrouted,
            cuts_off: AtomicBool::new(false),
        })
    }

    /// Takes the records of one route, which leads to that upstream, if to any.
    pub fn route(self: &Arc<Self>, route: &RouteName, upstream: Option<&Arc<str>>) -> Arc<dyn Recorder> {
        Arc::new(RouteTelemetry {
            numbers: self.metrics.route(Some(route), upstream),
            telemetry: Arc::clone(self),
        })
    }

    /// From now on the process ends what is under way.
    pub fn cut_off(&self) {
        self.cuts_off.store(true, Ordering::Release);
    }

    /// Opens the access log's file anew, some time soon.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// The fields of the access log; none where there is no log.
    pub fn log_fields(&self) -> &[LogField] {
        self.access_log.as_ref().map_or(&[], AccessLog::fields)
    }

    fn log(&self, record: &AccessRecord) {
        if let Some(log) = &self.access_log {
            log.write(record);
        }
    }
}

impl Recorder for Telemetry {
    fn record(&self, record: &AccessRecord) {
        self.unrouted.count(record);
        self.log(record);
    }

    fn cuts_off(&self) -> bool {
        self.cuts_off.load(Ordering::Acquire)
    }
}

/// Where the access records of one route go.
struct RouteTelemetry {
    telemetry: Arc<Telemetry>,
    numbers: RouteNumbers,
}

impl Recorder for RouteTelemetry {
    fn record(&self, record: &AccessRecord) {
        self.numbers.count(record);
        self.telemetry.log(record);
    }

    fn cuts_off(&self) -> bool {
        self.telemetry.cuts_off()
    }
}
