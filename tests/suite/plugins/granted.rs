//! What plugins are granted by name, and nothing else: each service with the guest `uses-services`, which does as it is
//! told and says what came of it.

mod cache;
mod circles;
mod counters;
mod http;
mod kv;
mod redis;
mod secrets;

use gatewright_tests::{TestFiles, TestGateway};
use serde_json::{Value, json};

use super::setup::{PATIENT, base, route};

pub(super) const GUEST: &str = "uses-services";

/// The configuration: `[plugin.uses-services]` with these lines, and further sections.
pub(super) fn config(plugin: &str, sections: &str) -> String {
    let section = format!("[plugin.{GUEST}]\n{PATIENT}\n{plugin}\n");
    [base(), sections.to_owned(), section, ask_route(GUEST)].concat()
}

fn ask_route(guest: &str) -> String {
    route(guest, "", &format!("plugin = \"{guest}\""))
}

pub(super) fn files() -> TestFiles {
    TestFiles::default().with_guests(&[GUEST])
}

/// What the guest says came of a call.
pub(super) fn ask(gateway: &TestGateway, call: &Value) -> Value {
    ask_as(gateway, GUEST, call)
}

fn ask_as(gateway: &TestGateway, guest: &str, call: &Value) -> Value {
    let path = format!("/{guest}");
    let answer = gatewright_tests::http(gateway.addr("public"), "POST", &path, &[], call.to_string().as_bytes());
    assert_eq!(
        answer.status,
        200,
        "{call}: {answer:?} {:?}",
        gateway.access_log().pop()
    );
    answer.json()
}

pub(super) fn ok(value: impl Into<Value>) -> Value {
    json!({ "ok": value.into() })
}

pub(super) fn error(text: &str) -> Value {
    json!({ "error": text })
}

/// Calls of a service that ended in one way.
pub(super) fn calls(gateway: &TestGateway, service: &str, outcome: &str) -> f64 {
    gateway.metric(&format!(
        "gatewright_plugin_service_calls_total{{plugin=\"{GUEST}\",service=\"{service}\",outcome=\"{outcome}\"}}"
    ))
}
