//! What became of an exchange: exactly one record each, written when it is dropped, whichever way it ended.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Version};

use crate::exchange::{ExchangeId, RouteName};
use crate::{Client, Explanation, Lease, Problem, ProblemKind, Upload};

/// The cause of an exchange that the end of the process has ended.
const CUT_OFF: &str = "the gateway stopped before the exchange was over";

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A response reached the client whole: the integration's, or one that a stage gave instead and that is no error, such as
    /// a redirect.
    Answered,
    /// A stage or the gateway itself refused the request: no route, no right, too many.
    Refused,
    /// A fault of the gateway, a plugin or the upstream; also a response that broke off half-way, or that the end of the
    /// process cut off.
    Failed,
    /// The client left before it had the whole response.
    ClientGone,
}

impl Outcome {
    /// As logs and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::ClientGone => "client_gone",
        }
    }
}

/// What a cache did for an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheUse {
    /// The response was there.
    Hit,
    /// It was not, and came from the integration.
    Miss,
    /// It was there, and stale: the integration is asked meanwhile, or could not answer.
    Stale,
    /// It was there, and the integration has said that it is still good.
    Revalidated,
    /// The request could not be answered from a cache.
    Bypass,
}

impl CacheUse {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Stale, Self::Revalidated, Self::Bypass];

    /// As logs and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Bypass => "bypass",
        }
    }
}

/// Takes records: the access log and the metrics.
pub trait Recorder: Send + Sync {
    /// Called once for every exchange, on the thread that served it. Must not block.
    fn record(&self, record: &AccessRecord);

    /// Whether the gateway itself ends what is still under way: an exchange that is dropped half-way then was cut off, and
    /// its client has not left. Asked only about exchanges that were dropped so.
    fn cuts_off(&self) -> bool {
        false
    }
}

/// What became of an exchange.
///
/// Made before anything can fail. Until somebody says otherwise the client left: that is what it means when an
/// exchange is dropped half-way, unless a panic or the end of the process has dropped it.
pub struct AccessRecord(Box<Fields>);

/// The fields of an [`AccessRecord`].
pub struct Fields {
    /// Identifies the exchange.
    pub id: ExchangeId,
    /// When the request's header section was complete.
    pub started: Instant,
    /// When the exchange was over; none before.
    pub ended: Option<Instant>,
    /// The listener it came through.
    pub listener: Arc<str>,
    /// Who sent it.
    pub client: Client,
    /// Method.
    pub method: Method,
    /// Version the client spoke.
    pub version: Version,
    /// `Host` as sent; none when there was none to be trusted.
    pub authority: Option<HeaderValue>,
    /// Target as sent. Records show its path only: queries hold secrets.
    pub target: Option<PathAndQuery>,
    /// The route; none when none was found.
    pub route: Option<RouteName>,
    /// Status; none when the client left before there was one.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// The stage that answered or failed; none when it was the integration.
    pub answered_by: Option<Arc<str>>,
    /// The problem's kind.
    pub problem: Option<ProblemKind>,
    /// The problem's cause, for operators.
    pub cause: Option<String>,
    /// What the route's cache did; none without one, and where the request did not get so far.
    pub cache: Option<CacheUse>,
    /// Who the client proved to be.
    pub principal: Option<String>,
    /// The id that client, log and upstream know it by, where there is a stage `correlation-id`.
    pub correlation_id: Option<Arc<str>>,
    /// What the stage `waf` found.
    pub waf: Option<String>,
    /// The name of its API key.
    pub api_key: Option<String>,
    /// What the tightest limit that it met has left.
    pub limit_remaining: Option<u64>,
    /// The upstream's target that was asked last.
    pub upstream: Option<Arc<str>>,
    /// How often the request has been sent to it.
    pub upstream_tries: u32,
    /// The status that it has answered with, whatever the client was answered.
    pub upstream_status: Option<u16>,
    /// From asking the upstream to its header section.
    pub upstream_time: Option<Duration>,
    /// The request's body as it comes from the client; none without a body.
    pub upload: Option<Arc<Upload>>,
    /// Body bytes to the client.
    pub response_bytes: u64,
    /// What the access log asks for beside all this, in its order; empty where it asks for nothing.
    pub noted: Vec<Option<String>>,
    /// Places of limits that it holds until it is over.
    pub leases: Vec<Lease>,
    /// What its steps did; only for exchanges that somebody wants explained.
    pub explanation: Option<Arc<Explanation>>,
    recorder: Option<Arc<dyn Recorder>>,
}

impl AccessRecord {
    /// A record that is written to `recorder` when dropped.
    pub fn new(
        id: ExchangeId,
        listener: Arc<str>,
        client: Client,
        method: Method,
        version: Version,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        Self(Box::new(Fields {
            id,
            started: Instant::now(),
            ended: None,
            listener,
            client,
            method,
            version,
            authority: None,
            target: None,
            route: None,
            status: None,
            outcome: Outcome::ClientGone,
            answered_by: None,
            problem: None,
            cause: None,
            cache: None,
            principal: None,
            correlation_id: None,
            waf: None,
            api_key: None,
            limit_remaining: None,
            upstream: None,
            upstream_tries: 0,
            upstream_status: None,
            upstream_time: None,
            upload: None,
            response_bytes: 0,
            noted: Vec::new(),
            leases: Vec::new(),
            explanation: None,
            recorder: Some(recorder),
        }))
    }

    /// Notes a problem. The first one is kept: later ones are its consequences.
    pub fn note(&mut self, problem: &Problem) {
        if self.problem.is_none() {
            self.problem = Some(problem.kind());
            self.cause = problem.cause().map(str::to_owned);
        }
    }

    /// Nothing is written when it is dropped: another record tells of the exchange.
    pub fn leave_to_another(&mut self) {
        self.0.recorder = None;
    }

    /// Another recorder takes it: the one of its route, as soon as there is one.
    pub fn record_to(&mut self, recorder: Arc<dyn Recorder>) {
        self.0.recorder = Some(recorder);
    }

    /// When the request's header section was complete, for people.
    pub fn received(&self) -> SystemTime {
        let elapsed = self.started.elapsed();
        SystemTime::now().checked_sub(elapsed).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// How long the exchange has taken.
    pub fn elapsed(&self) -> Duration {
        let ended = self.ended.unwrap_or_else(Instant::now);
        ended.saturating_duration_since(self.started)
    }
}

impl std::ops::Deref for AccessRecord {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl std::ops::DerefMut for AccessRecord {
    fn deref_mut(&mut self) -> &mut Fields {
        &mut self.0
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.recorder.take() {
            if std::thread::panicking() {
                // Dropped by a panic and not because the client left.
                self.problem.get_or_insert(ProblemKind::InternalError);
                self.status.get_or_insert(ProblemKind::InternalError.status().as_u16());
                self.outcome = Outcome::Failed;
            } else if self.outcome == Outcome::ClientGone && self.problem.is_none() && recorder.cuts_off() {
                self.note(&Problem::new(ProblemKind::ServiceUnavailable).with_cause(CUT_OFF));
                self.status
                    .get_or_insert(ProblemKind::ServiceUnavailable.status().as_u16());
                self.outcome = Outcome::Failed;
            }
            recorder.record(self);
        }
    }
}
