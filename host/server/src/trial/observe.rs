//! Runs one case, and keeps everything that can be seen of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_config::cases::{CaseFailure, Decision, PluginCase};
use gatewright_core::{Attributes, Exchange, Flow, Problem, ProblemKind, Request, Response, Value};
use gatewright_wasm::{ConfigFault, Plugin, PluginError, PluginKind, RuntimeStats};
use http::{HeaderMap, StatusCode};

use crate::trial::{self, Trial, Used, exchange, sees_response};

/// What came of a case.
pub(crate) struct Observed {
    /// How long the plugin took.
    pub(crate) time: Duration,
    /// What an authorizer decided.
    pub(crate) decision: Option<Decision>,
    /// Why it said no, in the words of the access record.
    pub(crate) reason: Option<String>,
    /// The request, if it went on.
    pub(crate) request: Option<(Request, Bytes)>,
    /// What the client gets.
    pub(crate) response: Option<Reply>,
    /// Attributes in the end.
    pub(crate) attributes: Attributes,
    /// How the call failed.
    pub(crate) failure: Option<Broken>,
}

/// A response, with all of its body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A failed call.
pub(crate) struct Broken {
    /// What cases can expect; none for what only a mistake in the case or a full machine brings about.
    pub(crate) kind: Option<CaseFailure>,
    /// In the words of the access record.
    pub(crate) message: String,
    /// What is wrong with the configuration.
    pub(crate) faults: Vec<ConfigFault>,
}

/// Runs a case.
pub(crate) async fn observe(trial: &Trial, plugin: &Arc<Plugin>, case: &PluginCase) -> Observed {
    let mut exchange = exchange(case);
    let used = match trial.used(plugin, case).await {
        Ok(used) => used,
        Err(error) => return Observed::unconfigured(error),
    };
    let before = plugin.runtime_stats();
    let began = Instant::now();
    let mut went_on = false;
    let answered = match used {
        Used::Stage(stage) => match stage.on_request(&mut exchange).await {
            Ok(Flow::Answer(response)) => Ok(Some(*response)),
            Ok(Flow::Proceed) => {
                went_on = true;
                if sees_response(&*stage, plugin, case) {
                    let mut response = trial::response(case.response.as_ref());
                    let changed = stage.on_response(&mut exchange, &mut response).await;
                    changed.map(|()| Some(response))
                } else {
                    Ok(None)
                }
            }
            Err(problem) => Err(problem),
        },
        Used::Integration(integration) => integration.call(&mut exchange).await.map(Some),
    };
    // A body goes through a filter only when somebody reads it.
    let answered = match answered {
        Ok(response) => trial::whole(&mut exchange, response).await,
        Err(problem) => Err(problem),
    };
    let time = began.elapsed();
    let failed = failed_call(&before, &plugin.runtime_stats());
    match answered {
        Ok(response) => Observed::answered(time, plugin, exchange, response, went_on).await,
        Err(problem) => Observed::stopped(time, exchange, &problem, failed),
    }
}

impl Observed {
    async fn answered(
        time: Duration,
        plugin: &Plugin,
        mut exchange: Exchange,
        response: Option<Response>,
        went_on: bool,
    ) -> Self {
        // A denial is noted in the access record, another answer of a stage is not.
        let denied = exchange.record.problem.is_some();
        let authorizer = plugin.summary().kinds.contains(&PluginKind::Authorizer);
        let let_pass = matches!(
            exchange.attributes.get("auth.authorizer").as_deref(),
            Some(Value::Text(name)) if *name == plugin.summary().name
        );
        let decision = match (authorizer, denied, let_pass) {
            (false, ..) => None,
            (true, true, _) => Some(Decision::Deny),
            (true, false, true) => Some(Decision::Allow),
            (true, false, false) => Some(Decision::Abstain),
        };
        let body = exchange.body.take().collect(u64::MAX).await.unwrap_or_default();
        let reply = match response {
            Some(response) => Some(Reply::of(response).await),
            None => None,
        };
        Self {
            time,
            decision,
            reason: exchange.record.cause.take(),
            request: went_on.then(|| (exchange.request.clone(), body)),
            response: reply,
            attributes: std::mem::take(&mut exchange.attributes),
            failure: None,
        }
    }

    /// The gateway says no: the call failed, or what the plugin granted is not enough.
    fn stopped(time: Duration, mut exchange: Exchange, problem: &Problem, failed: Option<CaseFailure>) -> Self {
        let message = problem.cause().unwrap_or(problem.message()).to_owned();
        let denied = failed.is_none() && problem.kind() == ProblemKind::AccessDenied;
        let kind = failed.or(match problem.kind() {
            ProblemKind::RequestTooLarge | ProblemKind::IntegrationFailure => Some(CaseFailure::Body),
            _ => None,
        });
        let reply = || Reply {
            status: problem.status(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        Self {
            time,
            decision: denied.then_some(Decision::Deny),
            reason: denied.then(|| message.clone()),
            request: None,
            response: denied.then(reply),
            attributes: std::mem::take(&mut exchange.attributes),
            failure: (!denied).then(|| Broken {
                kind,
                message,
                faults: Vec::new(),
            }),
        }
    }

    fn unconfigured(error: PluginError) -> Self {
        let (kind, message, faults) = match error {
            PluginError::Config { errors, .. } => {
                let texts: Vec<_> = errors
                    .iter()
                    .map(|fault| match fault.at.as_str() {
                        "" => fault.message.clone(),
                        at => format!("{at}: {}", fault.message),
                    })
                    .collect();
                let message = format!("it refuses its configuration: {}", texts.join("; "));
                (Some(CaseFailure::Config), message, errors)
            }
            PluginError::Configure { .. } => (Some(CaseFailure::Config), error.to_string(), Vec::new()),
            other => (None, other.to_string(), Vec::new()),
        };
        Self {
            time: Duration::ZERO,
            decision: None,
            reason: None,
            request: None,
            response: None,
            attributes: Attributes::default(),
            failure: Some(Broken { kind, message, faults }),
        }
    }
}

impl Reply {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            // It is there as a whole: nothing streams any more.
            body: body.collect(u64::MAX).await.unwrap_or_default(),
        }
    }
}

/// How a call failed, from what was counted meanwhile; none when none did.
fn failed_call(before: &RuntimeStats, after: &RuntimeStats) -> Option<CaseFailure> {
    after.calls.iter().find_map(|now| {
        let known = before
            .calls
            .iter()
            .find(|then| then.hook == now.hook && then.outcome == now.outcome);
        (now.count > known.map_or(0, |then| then.count)).then_some(match now.outcome {
            "fault" => Some(CaseFailure::Fault),
            "trap" => Some(CaseFailure::Trap),
            "timeout" => Some(CaseFailure::Timeout),
            "output_refused" => Some(CaseFailure::Output),
            _ => None,
        })?
    })
}
