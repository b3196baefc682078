//! Well behaved: an integration that answers with what it sees, as JSON. For tests of what reaches a plugin.

use gatewright_sdk::prelude::*;
use serde_json::{Map, Value as Json, json};

struct Echo;

impl Plugin for Echo {
    fn info() -> Info {
        misbehaving_guests::about("echo")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Integration for Echo {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let headers: Vec<Json> = request
            .fields
            .iter()
            .map(|(name, value)| json!([name, text(value)]))
            .collect();
        let attributes: Map<String, Json> = request
            .exchange
            .attributes
            .iter()
            .flatten()
            .map(|(name, value)| (name.clone(), attribute(value)))
            .collect();
        let parameters: Map<String, Json> = request
            .parameters
            .iter()
            .flatten()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let peer = request.exchange.peer()?;
        Response::new(200).json(&json!({
            "method": request.method,
            "scheme": format!("{:?}", request.scheme),
            "authority": request.authority,
            "path": request.path,
            "query": request.query,
            "parameters": parameters,
            "version": format!("{:?}", request.version),
            "headers": headers,
            "body_length": request.body.len(),
            "route": request.exchange.route,
            "exchange": request.exchange.id,
            "attempt": request.exchange.attempt,
            "budget_ms": request.exchange.budget.as_millis() as u64,
            "trace_parent": request.exchange.trace_parent,
            "peer": { "address": peer.address, "tls": peer.tls, "subject": peer.certificate.as_ref().map(|c| &c.subject) },
            "attributes": attributes,
        }))
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn attribute(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
        Value::Integer(number) => json!(number),
        Value::Truth(truth) => json!(truth),
        Value::Bytes(bytes) => json!(bytes),
        Value::Json(text) => serde_json::from_str(text).unwrap_or(Json::Null),
    }
}

plugin!(Echo: integration);
