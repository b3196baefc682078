//! `lambda-authorizer`: a Lambda authorizer written for Amazon API Gateway decides, asked by HTTP with the event that it knows.
//!
//! What it answers means what it means there ("Use API Gateway Lambda authorizers", "Control access to HTTP APIs with AWS Lambda
//! authorizers"): a policy is evaluated for the method that is called, also one that is used again; what is not understood is a
//! failure, and lets nobody pass.

mod answer;
mod event;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::{IdentitySource, LambdaAuthorizerConfig};
use gatewright_core::{Exchange, Flow, Problem, ProblemKind, Stage, Step, Value};
use http::header::{self, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use moka::sync::Cache;
use percent_encoding::percent_decode_str;
use regex::Regex;
use sha2::{Digest as _, Sha256};

use self::answer::{Answer, Decision};
use self::event::Event;
use crate::iam::Verdict;
use crate::upstream::Upstream;
use crate::upstream::question::ask;
use crate::via;

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 256 << 10;
/// The longest ARN of a method, as at AWS.
const LONGEST_ARN: usize = 1600;
/// Bytes of decisions that are kept, about.
const KEPT: u64 = 4 << 20;

/// Lets requests pass that a Lambda authorizer allows.
pub struct LambdaAuthorizer {
    upstream: Arc<Upstream>,
    path: PathAndQuery,
    event: Event,
    identity: Vec<Source>,
    validation: Option<Regex>,
    timeout: Duration,
    decisions: Option<Cache<[u8; 32], Arc<Decision>>>,
    via: HeaderValue,
}

enum Source {
    Header(HeaderName),
    Query(String),
    Path(String),
    Client,
}

impl Stage for LambdaAuthorizer {
    fn name(&self) -> &str {
        "lambda-authorizer"
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let Some(identity) = self.identity(exchange) else {
            return Step::ready(Err(unauthorized("an identity source is missing, or not as it must be")));
        };
        let arn = self.event.arn(exchange);
        if arn.len() > LONGEST_ARN {
            return Step::ready(Err(ProblemKind::UriTooLong.into()));
        }
        let key = self.decisions.as_ref().map(|_| key(&identity));
        if let (Some(decisions), Some(key)) = (&self.decisions, &key)
            && let Some(decision) = decisions.get(key)
        {
            return Step::ready(apply(exchange, &decision, &arn));
        }
        let question = self.question(exchange, &arn, &identity);
        Step::waiting(self.decide(exchange, question, arn, key))
    }
}

impl LambdaAuthorizer {
    /// A stage of a route with this path that asks `upstream`. `via` is what this process calls itself.
    #[must_use]
    pub fn new(config: &LambdaAuthorizerConfig, route_path: &str, upstream: Arc<Upstream>, via: HeaderValue) -> Self {
        let decisions = || {
            Cache::builder()
                .max_capacity(KEPT)
                .weigher(|_, kept: &Arc<Decision>| u32::try_from(kept.bytes()).unwrap_or(u32::MAX))
                .time_to_live(config.cache)
                .build()
        };
        Self {
            upstream,
            // The configuration has checked path, names and expression.
            path: PathAndQuery::try_from(config.path.as_str()).unwrap_or(PathAndQuery::from_static("/")),
            event: Event::new(config, route_path),
            identity: config.identity.iter().filter_map(Source::new).collect(),
            validation: config.validation.as_deref().and_then(|text| Regex::new(text).ok()),
            timeout: config.timeout,
            decisions: (!config.cache.is_zero()).then(decisions),
            via,
        }
    }

    /// The values of all sources; none when one is missing, empty, there twice or not as it must be. Nobody is asked then.
    fn identity(&self, exchange: &Exchange) -> Option<Vec<String>> {
        let values: Vec<_> = self
            .identity
            .iter()
            .map(|source| source.value(exchange))
            .collect::<Option<_>>()?;
        let first = values.first().map(String::as_str).unwrap_or_default();
        let is_good = self
            .validation
            .as_ref()
            .is_none_or(|expression| expression.is_match(first));
        is_good.then_some(values)
    }

    fn question(&self, exchange: &Exchange, arn: &str, identity: &[String]) -> http::Request<Bytes> {
        let event = self.event.json(exchange, arn, identity);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let came_by: Vec<_> = exchange.request.headers.get_all(header::VIA).iter().cloned().collect();
        headers.insert(header::VIA, via::onward(&came_by, &self.via));
        let mut question = http::Request::new(Bytes::from(event.to_string()));
        *question.method_mut() = Method::POST;
        *question.uri_mut() = self.path.clone().into();
        *question.headers_mut() = headers;
        question
    }

    async fn decide(
        &self,
        exchange: &mut Exchange,
        question: http::Request<Bytes>,
        arn: String,
        key: Option<[u8; 32]>,
    ) -> Result<Flow, Problem> {
        let (now, _) = exchange.look_at_clock();
        let deadline = (now + self.timeout).min(exchange.deadline);
        let answer = ask(&self.upstream, &question, deadline, LONGEST_ANSWER).await?;
        let answer = answer::read(&answer, self.event.kind()).map_err(|reason| {
            let cause = format!("upstream `{}`: {reason}", self.upstream.name);
            Problem::new(ProblemKind::AuthorizerFailure).with_cause(cause)
        })?;
        let decision = match answer {
            Answer::Unauthorized => return Err(unauthorized("the authorizer says `Unauthorized`")),
            Answer::Decision(decision) => Arc::new(decision),
        };
        if let (Some(decisions), Some(key)) = (&self.decisions, key) {
            decisions.insert(key, Arc::clone(&decision));
        }
        apply(exchange, &decision, &arn)
    }
}

impl Source {
    fn new(config: &IdentitySource) -> Option<Self> {
        Some(match config {
            IdentitySource::Header(name) => Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
            IdentitySource::Query(name) => Self::Query(name.clone()),
            IdentitySource::Path(name) => Self::Path(name.clone()),
            IdentitySource::Client => Self::Client,
        })
    }

    /// The only value; two are none.
    fn value(&self, exchange: &Exchange) -> Option<String> {
        let value = match self {
            Self::Header(name) => {
                let mut values = exchange.request.headers.get_all(name).iter();
                let value = values.next()?.to_str().ok()?.to_owned();
                values.next().is_none().then_some(value)?
            }
            Self::Query(name) => {
                let pairs = exchange.request.query().unwrap_or_default().split('&');
                let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                let mut values = pairs.filter(|(key, _)| percent_decode_str(key).eq(name.bytes()));
                let (_, value) = values.next()?;
                let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
                values.next().is_none().then_some(value)?
            }
            Self::Path(name) => exchange.parameters.get(name)?.to_owned(),
            Self::Client => exchange.client.address.known()?.to_string(),
        };
        (!value.is_empty()).then_some(value)
    }
}

/// Does what was decided, for this method. Fails before it changes anything.
fn apply(exchange: &mut Exchange, decision: &Decision, arn: &str) -> Result<Flow, Problem> {
    let denied = |cause: &str| Err(Problem::new(ProblemKind::AccessDenied).with_cause(cause));
    match &decision.policy {
        None if decision.is_authorized => {}
        None => return denied("the authorizer says that it is not authorized"),
        Some(policy) => match policy.verdict("execute-api:Invoke", arn, exchange) {
            Verdict::Allowed => {}
            Verdict::Denied => return denied(&format!("the policy of the authorizer denies {arn}")),
            Verdict::Silent => return denied(&format!("the policy of the authorizer does not allow {arn}")),
        },
    }
    for (name, value) in &decision.context {
        exchange.attributes.set(name.clone(), value.clone());
    }
    // After the context, so that it cannot say otherwise.
    if let Some(key) = &decision.usage_key {
        exchange.attributes.set("auth.usage_key", Value::Text(key.clone()));
    }
    match &decision.principal {
        Some(principal) => exchange.authenticate("lambda-authorizer", principal),
        None => {
            let authorizer = Value::Text("lambda-authorizer".to_owned());
            exchange.attributes.set("auth.authorizer", authorizer);
        }
    }
    Ok(Flow::Proceed)
}

fn unauthorized(cause: &str) -> Problem {
    Problem::new(ProblemKind::Unauthorized)
        .with_cause(cause)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn key(identity: &[String]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for value in identity {
        hash.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(value);
    }
    hash.finalize().into()
}
