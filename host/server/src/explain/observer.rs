//! Stages and integrations with somebody who looks: what the exchange was before and is after, and how long it took.
//! The chain cannot tell, and an exchange that is not to be explained passes at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use gatewright_core::{Exchange, Explanation, Flow, Integration, Problem, Response, Stage, Step, Value};
use http::HeaderMap;
use serde_json::{Map, Value as Json, json};

use super::{Redaction, facts};

/// A stage that is looked at.
pub struct ObservedStage {
    /// The stage.
    pub inner: Arc<dyn Stage>,
    /// What is not shown.
    pub redaction: Arc<Redaction>,
}

/// An integration that is looked at.
pub struct ObservedIntegration {
    /// The integration.
    pub inner: Arc<dyn Integration>,
    /// What is not shown.
    pub redaction: Arc<Redaction>,
    /// Whether it is asked at all. If not, an empty response stands for its own.
    pub asked: bool,
}

impl Stage for ObservedStage {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Flow, Problem>> {
        let Some(explanation) = exchange.record.explanation.clone() else {
            return self.inner.on_request(exchange);
        };
        Step::waiting(async move {
            let look = Look::begin(explanation, snapshot(exchange, &self.redaction));
            let flow = self.inner.on_request(exchange).await;
            let outcome = match &flow {
                Ok(Flow::Proceed) => json!("proceed"),
                Ok(Flow::Answer(response)) => json!({ "answer": response.status().as_u16() }),
                Err(problem) => self::problem(problem),
            };
            look.end("request", self.name(), &outcome, &snapshot(exchange, &self.redaction));
            flow
        })
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        response: &'a mut Response,
    ) -> Step<'a, Result<(), Problem>> {
        let Some(explanation) = exchange.record.explanation.clone() else {
            return self.inner.on_response(exchange, response);
        };
        Step::waiting(async move {
            let look = Look::begin(explanation, response_snapshot(exchange, response, &self.redaction));
            let result = self.inner.on_response(exchange, response).await;
            let outcome = match &result {
                Ok(()) => json!("proceed"),
                Err(problem) => self::problem(problem),
            };
            let after = response_snapshot(exchange, response, &self.redaction);
            look.end("response", self.name(), &outcome, &after);
            result
        })
    }

    fn sees_responses(&self) -> bool {
        self.inner.sees_responses()
    }
}

impl Integration for ObservedIntegration {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn call<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a, Result<Response, Problem>> {
        let Some(explanation) = exchange.record.explanation.clone() else {
            return self.inner.call(exchange);
        };
        Step::waiting(async move {
            let before = snapshot(exchange, &self.redaction);
            let look = Look::begin(explanation, before.clone());
            let result = match self.asked {
                true => self.inner.call(exchange).await,
                false => Ok(Response::default()),
            };
            let outcome = match &result {
                Ok(_) if !self.asked => json!("not asked; an empty response with status 200 is assumed"),
                Ok(response) => json!({ "answer": response.status().as_u16() }),
                Err(problem) => self::problem(problem),
            };
            look.end("integration", self.name(), &outcome, &before);
            result
        })
    }
}

/// A step that is looked at.
struct Look {
    explanation: Arc<Explanation>,
    notes: usize,
    before: Snapshot,
    began: Instant,
}

impl Look {
    fn begin(explanation: Arc<Explanation>, before: Snapshot) -> Self {
        Self {
            notes: explanation.count(),
            explanation,
            before,
            began: Instant::now(),
        }
    }

    fn end(self, direction: &'static str, name: &str, outcome: &Json, after: &Snapshot) {
        let took = self.began.elapsed();
        let details: Vec<_> = self.explanation.take_after(self.notes);
        let details: Json = details.into_iter().map(|note| Json::Object(facts(note))).collect();
        let notes = [
            ("name", Value::Text(name.to_owned())),
            ("outcome", Value::Json(outcome.to_string())),
            ("took_us", Value::Number(took.as_secs_f64() * 1e6)),
            ("changes", Value::Json(changes(&self.before, after).to_string())),
            ("details", Value::Json(details.to_string())),
        ];
        self.explanation.note(direction, notes);
    }
}

fn problem(problem: &Problem) -> Json {
    json!({ "problem": problem.kind().code(), "cause": problem.cause() })
}

/// What there is to see of an exchange, as it may be shown.
pub type Snapshot = Map<String, Json>;

/// Of a request, and what has been found out about it.
pub fn snapshot(exchange: &Exchange, redaction: &Redaction) -> Snapshot {
    let request = &exchange.request;
    let mut shown = Snapshot::new();
    let mut put = |name: &str, value: Json| shown.insert(name.to_owned(), value);
    put("method", request.method.as_str().into());
    put("scheme", request.scheme().into());
    put("authority", redaction.value("", request.authority.as_bytes()).into());
    put("path", request.path().into());
    put("query", request.query().map(|query| redaction.query(query)).into());
    put("client", exchange.client.to_string().into());
    put("headers", fields(&request.headers, redaction));
    put("attributes", attributes(exchange, redaction));
    put("body", body(&exchange.body).into());
    shown
}

/// Of a response.
fn response_snapshot(exchange: &Exchange, response: &Response, redaction: &Redaction) -> Snapshot {
    let mut shown = Snapshot::new();
    let mut put = |name: &str, value: Json| shown.insert(name.to_owned(), value);
    put("status", response.status().as_u16().into());
    put("headers", fields(response.headers(), redaction));
    put("attributes", attributes(exchange, redaction));
    put("body", body(response.body()).into());
    shown
}

/// Header fields by name, in one list each.
pub fn fields(headers: &HeaderMap, redaction: &Redaction) -> Json {
    let mut shown = BTreeMap::<&str, Vec<String>>::new();
    for (name, value) in headers {
        let values = shown.entry(name.as_str()).or_default();
        values.push(redaction.field(name.as_str(), value.as_bytes()));
    }
    json!(shown)
}

fn attributes(exchange: &Exchange, redaction: &Redaction) -> Json {
    let shown = exchange.attributes.iter().map(|(name, value)| {
        let value = redaction.value(&name, value.to_string().as_bytes());
        (name.into_owned(), Json::from(value))
    });
    Json::Object(shown.collect())
}

/// A body's length, as far as it is known. Never what is in it.
fn body(body: &gatewright_core::Body) -> String {
    use http_body::Body as _;
    match (body.is_empty(), body.size_hint().exact()) {
        (true, _) => "empty".to_owned(),
        (false, Some(bytes)) => format!("{bytes} bytes"),
        (false, None) => "a stream".to_owned(),
    }
}

/// What is different, by name: `[before, after]`. Header fields and attributes one by one.
fn changes(before: &Snapshot, after: &Snapshot) -> Json {
    let mut changes = Map::new();
    for (name, after) in after {
        let before = before.get(name).unwrap_or(&Json::Null);
        match (before, after) {
            (Json::Object(before), Json::Object(after)) => {
                for one in before.keys().chain(after.keys()) {
                    let (before, after) = (before.get(one), after.get(one));
                    if before != after {
                        changes.insert(format!("{name}.{one}"), json!([before, after]));
                    }
                }
            }
            _ if before == after => {}
            _ => {
                changes.insert(name.clone(), json!([before, after]));
            }
        }
    }
    Json::Object(changes)
}
