//! Upstreams: which target a request goes to, and the connections kept to it.

pub mod balance;
pub mod budget;
pub mod call;
pub mod connect;
pub mod driver;
pub mod gateway_client;
pub mod guard;
pub mod health;
mod keep_alive;
pub mod plugin_client;
pub mod pool;
pub mod question;
pub mod screen;
pub mod target;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_config::UpstreamConfig;
use gatewright_core::{Body, Problem, ProblemKind};
use http::Method;
use sha2::{Digest as _, Sha256};

use self::balance::Balance;
use self::budget::Budget;
use self::connect::ConnectError;
use self::health::{Group, Outcome};
use self::pool::Lease;
use self::target::Target;
use crate::stages::entity_tags::UpstreamTags;
use crate::telemetry::Metrics;

/// An upstream. Lives across reloads as long as its configuration and the files that it names stay the same, and its
/// connections with it.
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    /// What the configuration says of it.
    pub config: UpstreamConfig,
    // Of what the files held that it was made with.
    files: [u8; 32],
    targets: Vec<Arc<Target>>,
    balance: Balance,
    /// How many requests may be sent twice.
    pub budget: Budget,
    /// What responses have told of its entity tags.
    pub tags: UpstreamTags,
}

/// Why one attempt to send a request brought no response.
pub enum Failure {
    /// The connection had been closed before anything was sent; the body is as it was.
    Unsent(Body),
    /// The time was up; the connection is gone.
    Late,
    /// The connection broke after something was sent. `reused` is whether it had served before.
    Broken {
        /// Why.
        error: hyper::Error,
        /// It had served before, so that the upstream may have closed it just then.
        reused: bool,
    },
}

impl Upstream {
    /// An upstream without connections.
    ///
    /// # Errors
    /// When a file of it cannot be used.
    pub fn new(
        name: &str,
        config: &UpstreamConfig,
        workers: usize,
        metrics: &Metrics,
    ) -> Result<Self, connect::SetupError> {
        // Read before it is used: if it changes in between, it differs the next time.
        let files = files(config);
        if config.accepts_any_certificate {
            tracing::warn!(
                upstream = name,
                "certificates of this upstream are not verified (`dangerous_accept_any_certificate`)"
            );
        }
        let tls = connect::client_config(config)?;
        let group = Group::new(&config.ejection, config.targets.len(), metrics.ejections(name));
        let targets = config.targets.iter().map(|target| {
            let target = Target::new(target, config, &tls, workers)?;
            Ok(Arc::new(target.watched(group.as_ref())))
        });
        let targets = targets.collect::<Result<Vec<_>, connect::SetupError>>()?;
        let weights: Vec<u32> = config.targets.iter().map(|target| target.weight).collect();
        Ok(Self {
            name: name.into(),
            config: config.clone(),
            files,
            targets,
            balance: Balance::new(&weights, workers),
            budget: Budget::new(workers),
            tags: UpstreamTags::default(),
        })
    }

    /// The upstream as long as nobody may be asked.
    #[must_use]
    pub fn out_of_reach(mut self) -> Self {
        self.targets.clear();
        self
    }

    /// Whether a new upstream of that configuration would be the same as this one.
    pub fn is_still(&self, config: &UpstreamConfig) -> bool {
        self.config == *config && self.files == files(config)
    }

    /// The target that is next, and those to try after it when it cannot be reached. Those that are left out come last:
    /// where no other one can be reached they are better than nobody.
    pub fn candidates(&self, now: Instant) -> impl Iterator<Item = &Arc<Target>> {
        let mut first = self.balance.next();
        let mut takes = self.takes(first, now);
        // The share of one that is left out is for all of the others, not for the one after it.
        for _ in 1..self.targets.len() {
            if takes {
                break;
            }
            first = self.balance.next();
            takes = self.takes(first, now);
        }
        let (before, after) = self.targets.split_at(first.min(self.targets.len()));
        let others = after.iter().skip(1).chain(before);
        let others = others.filter(move |target| target.takes(now));
        let left_out = self.targets.iter().filter(|target| target.takes_as_last_resort());
        let chosen = after.first().filter(|_| takes);
        chosen.into_iter().chain(others).chain(left_out)
    }

    /// Its targets.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    fn takes(&self, target: usize, now: Instant) -> bool {
        self.targets.get(target).is_some_and(|target| target.takes(now))
    }

    /// Closes connections that nobody has used for too long, whichever worker keeps them.
    pub fn close_idle(&self) {
        for target in &self.targets {
            target.pool.close_idle();
        }
    }
}

/// A digest of the files of certificates and keys; one of them is a secret.
fn files(config: &UpstreamConfig) -> [u8; 32] {
    let identity = config
        .identity
        .iter()
        .flat_map(|identity| [&identity.certificate, &identity.key]);
    let mut digest = Sha256::new();
    for file in config.ca.iter().chain(identity) {
        let content = std::fs::read(&file.path).map(|content| Sha256::digest(&content));
        // What cannot be read is unlike everything that can.
        digest.update(content.unwrap_or_default());
    }
    digest.finalize().into()
}

/// Whether requests with this method have content as a rule.
pub fn anticipates_content(method: &Method) -> bool {
    !method.is_safe() && !matches!(*method, Method::DELETE | Method::CONNECT)
}

fn authorities(config: &UpstreamConfig) -> Option<Vec<u8>> {
    std::fs::read(&config.ca.as_ref()?.path).ok()
}

/// A connection to the first target that takes one by the `deadline`, and the target. `now` is the time.
///
/// # Errors
/// When no target can be reached. What the last one said decides.
pub async fn connect_any(
    upstream: &Upstream,
    fresh_only: bool,
    now: Instant,
    deadline: Instant,
) -> Result<(Lease, &Arc<Target>), Problem> {
    let mut problem = None;
    for target in upstream.candidates(now) {
        if !fresh_only && let Some(lease) = target.pool.take(now) {
            return Ok((lease, target));
        }
        // Boxed: connecting is rare, and its state would make every request's future large.
        match Box::pin(target.connect(deadline)).await {
            Ok(lease) => return Ok((lease, target)),
            Err(error) => {
                target.saw(Outcome::Nothing, Instant::now());
                problem = Some(unreachable(target, &error));
            }
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Err(problem.unwrap_or_else(|| Problem::new(ProblemKind::UpstreamUnavailable).with_cause("nobody is asked")))
}

fn unreachable(target: &Target, error: &ConnectError) -> Problem {
    let kind = match error {
        ConnectError::TimedOut => ProblemKind::IntegrationTimeout,
        ConnectError::Tls(_) | ConnectError::Http(_) => ProblemKind::IntegrationFailure,
        ConnectError::Resolve(_) | ConnectError::Connect(_) | ConnectError::Private(_) => {
            ProblemKind::UpstreamUnavailable
        }
    };
    let problem = Problem::new(kind).with_cause(format_args!("{}: {error}", target.name));
    match kind {
        ProblemKind::UpstreamUnavailable => problem.with_retry_after(Duration::from_secs(1)),
        _ => problem,
    }
}

/// An error and everything it came from, in one line.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
