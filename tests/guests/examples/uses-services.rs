//! Well behaved. Calls the service that the request's body names, as a JSON object, and answers with what came of it:
//! `{"ok": …}` or `{"error": "…"}`. An array of objects is so many calls, one after the other, and an array of answers.
//! The call `fault` ends it with a fault, `trap` with a trap.

use gatewright_sdk::http::HttpRequest;
use gatewright_sdk::prelude::*;
use gatewright_sdk::{cache, clock, counters, http, kv, log, metrics, random, secrets};
use misbehaving_guests::Settings;
use serde_json::{Value, json};
use std::time::Duration;

struct UsesServices;

impl Plugin for UsesServices {
    fn info() -> Info {
        misbehaving_guests::about("uses-services").description("calls services")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        Settings::read(config).map(|_| Self)
    }
}

impl Integration for UsesServices {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let calls: Value = serde_json::from_slice(&request.body).map_err(|error| Fault::BadInput(error.to_string()))?;
        let answer = match &calls {
            Value::Array(calls) => calls.iter().map(answer).collect::<Result<_, _>>()?,
            call => answer(call)?,
        };
        Ok(Response::new(200).text(answer.to_string()))
    }
}

fn answer(call: &Value) -> Result<Value, Fault> {
    if call["call"] == "fault" {
        return Err(Fault::Unavailable("asked to fail".to_owned()));
    }
    Ok(match service(call) {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error }),
    })
}

fn service(call: &Value) -> Result<Value, String> {
    let text = |name: &str| call[name].as_str().unwrap_or_default();
    let number = |name: &str| call[name].as_u64().unwrap_or_default();
    let duration = |name: &str| call[name].as_u64().map(Duration::from_millis);
    // A number stands for a value of so many bytes.
    let value = || match &call["value"] {
        Value::Number(length) => vec![b'x'; length.as_u64().unwrap_or_default() as usize],
        value => value.as_str().unwrap_or_default().as_bytes().to_vec(),
    };
    let window = duration("window").unwrap_or_default();
    let (store, key) = (text("store"), text("key"));
    Ok(match text("call") {
        "secret" => shown(&secrets::get(text("name")).map_err(debug)?),
        "add" => {
            let delta = call["delta"].as_i64().unwrap_or(1);
            json!(counters::add(store, key, delta, window).map_err(debug)?)
        }
        "take" => {
            let rate = call["rate"].as_f64().unwrap_or(f64::NAN);
            let (tokens, capacity) = (number("tokens") as u32, number("capacity") as u32);
            let bucket = counters::take(store, key, tokens, capacity, rate).map_err(debug)?;
            json!([bucket.allowed, bucket.remaining, bucket.retry_after.as_millis() as u64])
        }
        "get" => match kv::get(store, key).map_err(debug)? {
            Some(entry) => json!([shown(&entry.value), entry.revision]),
            None => Value::Null,
        },
        "set" => json!(kv::set(store, key, &value(), duration("ttl")).map_err(debug)?),
        "cas" => {
            let expected = call["expected"].as_u64();
            json!(kv::compare_and_set(store, key, expected, &value(), duration("ttl")).map_err(debug)?)
        }
        "delete" => json!(kv::delete(store, key).map_err(debug)?),
        "cache-get" => match cache::get(store, key, duration("wait")).map_err(debug)? {
            cache::Found::Value(value) => json!(["value", shown(&value)]),
            cache::Found::Compute => json!("compute"),
        },
        "cache-put" => {
            let ttl = duration("ttl").unwrap_or(Duration::from_secs(60));
            json!(cache::put(store, key, &value(), ttl).map_err(debug)?)
        }
        "cache-forget" => json!(cache::forget(store, key).map_err(debug)?),
        "time" => json!(clock::unix().as_millis() as u64),
        "random" => {
            let bytes = random::bytes(number("length") as u32);
            json!([
                bytes.len(),
                bytes
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
            ])
        }
        "log" => {
            let message = String::from_utf8(value()).map_err(debug)?;
            (0..number("lines").max(1)).for_each(|_| log::write(log::Level::Info, &message, &[("from", "guest")]));
            Value::Null
        }
        "metric" => {
            let series = number("series").max(1);
            (0..series).for_each(|n| metrics::add(text("name"), 1, &[("series", &n.to_string())]));
            Value::Null
        }
        "trap" => panic!("asked to trap"),
        "send" => sent(&outbound(call).send().map_err(debug)?),
        "send-all" => {
            let requests: Vec<_> = call["requests"]
                .as_array()
                .into_iter()
                .flatten()
                .map(outbound)
                .collect();
            let answers = http::send_all(&requests);
            let shown =
                |answer: Result<Response, _>| answer.map_or_else(|error| json!(debug(error)), |answer| sent(&answer));
            answers.into_iter().map(shown).collect()
        }
        other => return Err(format!("no such call: {other}")),
    })
}

fn outbound(call: &Value) -> HttpRequest {
    let mut request = HttpRequest::new(
        call["method"].as_str().unwrap_or("GET"),
        call["url"].as_str().unwrap_or_default(),
    );
    request.body = call["body"].as_str().unwrap_or_default().into();
    request.timeout = call["timeout"].as_u64().map(Duration::from_millis);
    request.max_response_bytes = call["max"].as_u64().map(|max| max as u32);
    for (name, value) in call["fields"].as_object().into_iter().flatten() {
        request = request.header(name.as_str(), value.as_str().unwrap_or_default());
    }
    request
}

fn sent(response: &Response) -> Value {
    let field = |(name, value): (&str, &[u8])| json!([name, shown(value)]);
    json!({
        "status": response.status,
        "fields": response.fields.iter().map(field).collect::<Vec<_>>(),
        "body": shown(&response.body),
    })
}

fn shown(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

fn debug(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

gatewright_sdk::plugin!(UsesServices: integration);
