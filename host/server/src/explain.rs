//! Explanations: every decision about one request, for whoever operates the gateway.
//!
//! Nobody pays for them who does not ask. Without a key in the configuration there is no [`Explainer`] in a generation,
//! and its stages are themselves; with one, each stage and integration stands behind an observer that looks whether
//! this exchange is to be explained. What is shown goes through [`Redaction`] first.
//!
//! - [`Signature`]: the header field with which a live request asks
//! - [`observer`]: what each step did
//! - [`Explanations`]: what is kept for the admin address

pub mod observer;
pub mod redaction;
pub mod signature;
pub mod store;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatewright_config::AdminConfig;
use gatewright_core::{Exchange, Explanation, Note, Response, Value};
use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json, json};

pub use self::redaction::Redaction;
pub use self::signature::{HEADER, Signature};
pub use self::store::Explanations;
use crate::admin::AdminError;
use crate::json::{self, Inexact};
use crate::router::RouteRequest;
use crate::router::probe::Probe;
use crate::secret;
use crate::stages::cors::asked_about;

/// Names the explanation in the response; it is the exchange's id.
const ANSWER: HeaderName = HeaderName::from_static("x-gatewright-explanation");
/// The subject of what is known before the first step.
const RECEIVED: &str = "received";
/// The subject of what is not shown and has to be found where it is repeated. Goes no further than to [`Explainer::end`].
const SECRET: &str = "secret";
/// How deep values may be nested.
const DEPTH: usize = 128;
/// Routes that are shown; those that are nearest to the request.
const CANDIDATES: usize = 20;

/// Which requests are explained, and where explanations go. Lives as long as the process.
#[derive(Debug)]
pub struct Explaining {
    /// Who asks for an explanation; none for every request.
    pub signature: Option<Signature>,
    /// Where they are kept.
    pub explanations: Arc<Explanations>,
}

/// Explains requests of one generation.
pub struct Explainer {
    explaining: Arc<Explaining>,
    redaction: Arc<Redaction>,
    names: Vec<Arc<str>>,
    probes: HashMap<Arc<str>, Vec<Probe>>,
}

impl Explaining {
    /// What `[admin]` says: live requests that are signed with its key.
    ///
    /// # Errors
    /// When the key cannot be read, or can be guessed.
    pub fn live(admin: Option<&AdminConfig>, explanations: &Arc<Explanations>) -> Result<Option<Self>, AdminError> {
        let Some(key) = admin.and_then(|admin| admin.explain_key.as_ref()) else {
            return Ok(None);
        };
        let key = secret::read(&key.reference).map_err(AdminError::ExplainKey)?;
        let signature = Signature::new(&key).ok_or(AdminError::ShortExplainKey)?;
        Ok(Some(Self {
            signature: Some(signature),
            explanations: Arc::clone(explanations),
        }))
    }
}

impl Explainer {
    /// An explainer for these routes, by index, and for what each listener serves.
    pub fn new(
        explaining: Arc<Explaining>,
        redaction: Arc<Redaction>,
        names: Vec<Arc<str>>,
        probes: HashMap<Arc<str>, Vec<Probe>>,
    ) -> Self {
        Self {
            explaining,
            redaction,
            names,
            probes,
        }
    }

    /// Begins an explanation, if the request asks for one. The field that asks goes no further, whether it is good or not.
    pub fn begin(&self, listener: &str, exchange: &mut Exchange) {
        if let Some(signature) = &self.explaining.signature {
            let Some(asked) = exchange.request.headers.remove(HEADER) else {
                return;
            };
            let request = &exchange.request;
            if let Err(reason) = signature.verify(&asked, request.method.as_str(), request.path()) {
                return tracing::debug!(id = %exchange.id, "request is not explained: {reason}");
            }
        }
        let explanation = Explanation::default();
        let request = observer::snapshot(exchange, &self.redaction);
        explanation.note(RECEIVED, [("request", Value::Json(Json::from(request).to_string()))]);
        let routing = self.routing(listener, exchange);
        explanation.note(RECEIVED, [("candidates", Value::Json(routing.to_string()))]);
        for secret in self.redaction.secrets_of(&exchange.request) {
            explanation.note(SECRET, [("secret", Value::Text(secret))]);
        }
        exchange.record.explanation = Some(Arc::new(explanation));
    }

    /// Ends it, and keeps it.
    pub fn end(&self, exchange: &mut Exchange, response: &mut Response) {
        let everything = self.explaining.signature.is_none();
        let explanation = match exchange.record.explanation.take() {
            None if everything => Arc::default(),
            None => return,
            Some(explanation) => explanation,
        };
        let notes = explanation.take_after(0);
        let mut whole = Map::new();
        whole.insert("id".to_owned(), exchange.id.to_string().into());
        whole.insert("listener".to_owned(), (*exchange.record.listener).into());
        let (mut steps, mut secrets) = (Vec::new(), Vec::new());
        for note in notes {
            match note.subject {
                SECRET => secrets.extend(note.facts.into_iter().map(|(_, secret)| secret.to_string())),
                RECEIVED => whole.extend(facts(note)),
                _ => steps.push(Json::Object(facts(note))),
            }
        }
        whole.insert("steps".to_owned(), steps.into());
        whole.insert("outcome".to_owned(), self.outcome(exchange, response));
        let mut whole = Json::Object(whole);
        self.redaction.conceal(&mut whole, &secrets);
        self.explaining.explanations.keep(exchange.id, &whole);
        if !everything && let Ok(id) = HeaderValue::try_from(exchange.id.to_string()) {
            response.headers_mut().insert(ANSWER, id);
        }
    }

    /// The routes of the listener that are nearest to the request, nearest first.
    fn routing(&self, listener: &str, exchange: &Exchange) -> Json {
        let request = &exchange.request;
        let about = asked_about(&request.method, &request.headers);
        let asked = RouteRequest {
            preflight: about.is_some(),
            ..RouteRequest::new(request, about.as_ref().unwrap_or(&request.method))
        };
        let probes = self.probes.get(listener).map_or(&[][..], Vec::as_slice);
        let mut verdicts: Vec<_> = probes.iter().map(|probe| (probe.route, probe.ask(&asked))).collect();
        verdicts.sort_by_key(|(route, verdict)| (!verdict.path, verdict.missing().len(), *route));
        let name = |route: usize| self.names.get(route).map_or("", |name| &**name);
        let shown = verdicts.iter().take(CANDIDATES).map(|(route, verdict)| {
            json!({ "route": name(*route), "matches": verdict.is_candidate(), "does_not_match": verdict.missing() })
        });
        shown.collect()
    }

    fn outcome(&self, exchange: &Exchange, response: &Response) -> Json {
        let record = &exchange.record;
        let parameters = exchange.parameters.iter();
        let parameters = parameters.map(|(name, value)| (name, self.redaction.value(name, value.as_bytes())));
        json!({
            "route": record.route.as_deref(),
            "parameters": parameters.collect::<BTreeMap<_, _>>(),
            "status": response.status().as_u16(),
            "answered_by": record.answered_by.as_deref(),
            "error": record.problem.map(|problem| problem.code()),
            "cause": record.cause,
            "principal": record.principal,
            "upstream": record.upstream.as_deref(),
            "upstream_us": record.upstream_time.map(|time| time.as_secs_f64() * 1e6),
            "rate_limit": exchange.rate_limit.map(|limit| json!({
                "limit": limit.limit,
                "remaining": limit.remaining,
                "reset_seconds": limit.reset.as_secs_f64(),
            })),
            "took_us": record.started.elapsed().as_secs_f64() * 1e6,
            "headers": observer::fields(response.headers(), &self.redaction),
        })
    }
}

/// A note as an object.
fn facts(note: Note) -> Map<String, Json> {
    let subject = match note.subject {
        RECEIVED => None,
        subject => Some(("step".to_owned(), Json::from(subject))),
    };
    let facts = note
        .facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), shown(value)));
    subject.into_iter().chain(facts).collect()
}

fn shown(value: Value) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Number(number) => number.into(),
        Value::Integer(integer) => integer.into(),
        Value::Truth(truth) => truth.into(),
        // One with a number that would be shown as another one is shown as it is written.
        Value::Json(text) => json::read(text.as_bytes(), DEPTH, Inexact::Refused).unwrap_or(Json::String(text)),
        bytes @ Value::Bytes(_) => bytes.to_string().into(),
    }
}
