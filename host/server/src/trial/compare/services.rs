//! What a case expects of services: requests that were sent, and what is in stores afterwards.

use gatewright_config::cases::{Expectation, ExpectedValue};

use gatewright_wasm::Divergence;

use super::{Differences, shown};
use crate::trial::script::{Script, Sent, shown_request};

pub(super) async fn compare(differences: &mut Differences, expect: &Expectation, script: &Script) {
    if let Some(Divergence { scripted, asked }) = script.divergence() {
        let scripted = scripted.as_deref().unwrap_or("nothing more");
        let asked = asked.as_deref().unwrap_or("it was not asked for");
        differences.add("services.calls", scripted, asked);
    }
    sent(differences, script);
    for (name, entries) in &expect.kv {
        for (key, expected) in entries {
            let got = script.kv(name, key).await;
            value(differences, &format!("kv.{name}.{key}"), expected, got.as_deref());
        }
    }
    for (name, values) in &expect.cache {
        for (key, expected) in values {
            let got = script.cache(name, key).await;
            value(differences, &format!("cache.{name}.{key}"), expected, got.as_deref());
        }
    }
    for (name, counts) in &expect.counters {
        for (key, expected) in counts {
            let got = script.counter(name, key).await;
            if got != *expected {
                differences.add(format!("counters.{name}.{key}"), expected, got);
            }
        }
    }
}

fn sent(differences: &mut Differences, script: &Script) {
    for request in script.unexpected() {
        differences.add("services.http", "no such request", request);
    }
    let Sent { answered, missing, .. } = script.sent();
    for expected in missing {
        let request = shown_request(&expected.method, &expected.origin, &expected.target);
        let what = format!("services.http (line {})", expected.line);
        differences.add(what, request, "it was not sent");
    }
    for (expected, request) in answered {
        let what = format!(
            "services.http {}",
            shown_request(&expected.method, &expected.origin, &expected.target)
        );
        differences.fields(&format!("{what} headers"), &expected.request.headers, request.headers());
        differences.body(&format!("{what} "), expected.request.body.as_ref(), request.body());
    }
}

fn value(differences: &mut Differences, what: &str, expected: &ExpectedValue, got: Option<&[u8]>) {
    match (expected, got) {
        (ExpectedValue::Present, Some(_)) | (ExpectedValue::Absent, None) => {}
        (ExpectedValue::Present, None) => differences.add(what, "any value", "none"),
        (ExpectedValue::Absent, Some(got)) => differences.add(what, "none", shown(got)),
        (ExpectedValue::Body(_), None) => differences.add(what, "a value", "none"),
        (ExpectedValue::Body(expected), Some(got)) => differences.body(&format!("{what} "), Some(expected), got),
    }
}
