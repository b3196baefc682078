//! `kv`: values that a plugin keeps, each change one atomic step.

use gatewright_tests::eventually;
use serde_json::{Value, json};

use super::{GUEST, ask, ask_as, ask_route, calls, config, error, files, ok};

const GRANT: &str = "grants = { kv = [\"sessions\"] }";

fn get(key: &str) -> Value {
    json!({ "call": "get", "store": "sessions", "key": key })
}

fn set(key: &str, value: impl Into<Value>, ttl: Option<u64>) -> Value {
    json!({ "call": "set", "store": "sessions", "key": key, "value": value.into(), "ttl": ttl })
}

fn cas(expected: Option<u64>, value: &str) -> Value {
    json!({ "call": "cas", "store": "sessions", "key": "k", "value": value, "expected": expected })
}

#[test]
fn what_one_call_puts_the_next_one_gets_also_after_a_reload() {
    let gateway = files().start(&config(GRANT, ""));
    assert_eq!(ask(&gateway, &get("k")), ok(Value::Null));
    let revision = ask(&gateway, &set("k", "v", None))["ok"].as_u64().unwrap();
    gateway.rewrite_config(&config(&format!("{GRANT}\nlog_bytes = \"1KiB\""), ""));
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, &get("k")), ok(json!(["v", revision])));
    assert_eq!(
        ask(&gateway, &json!({ "call": "delete", "store": "sessions", "key": "k" })),
        ok(Value::Null)
    );
    assert_eq!(
        ask(&gateway, &json!({ "call": "delete", "store": "sessions", "key": "k" })),
        ok(Value::Null)
    );
    assert_eq!(ask(&gateway, &get("k")), ok(Value::Null));
}

#[test]
fn p25_of_two_who_know_the_same_revision_one_is_faster() {
    let gateway = files().start(&config(GRANT, ""));
    let first = ask(&gateway, &cas(None, "a"))["ok"].as_u64().unwrap();
    assert_eq!(ask(&gateway, &cas(None, "b")), ok(Value::Null));
    let second = ask(&gateway, &cas(Some(first), "b"))["ok"].as_u64().unwrap();
    assert!(second > first);
    assert_eq!(ask(&gateway, &cas(Some(first), "c")), ok(Value::Null));
    assert_eq!(ask(&gateway, &get("k")), ok(json!(["b", second])));
}

#[test]
fn a_value_is_gone_when_its_time_is_over() {
    let gateway = files().start(&config(GRANT, ""));
    ask(&gateway, &set("k", "v", Some(50)));
    eventually("the end of its time", || {
        (ask(&gateway, &get("k")) == ok(Value::Null)).then_some(())
    });
    assert_eq!(ask(&gateway, &set("k", "v", Some(0))), error("TooLarge"));
}

#[test]
fn p25_keys_values_and_all_of_them_together_are_bounded() {
    let gateway = files().start(&config(
        GRANT,
        "[kv.sessions]\nvalue_bytes = \"1KiB\"\nbytes = \"16KiB\"\n",
    ));
    assert_eq!(ask(&gateway, &set(&"k".repeat(513), "v", None)), error("TooLarge"));
    assert_eq!(ask(&gateway, &set("k", 1025, None)), error("TooLarge"));
    let flood: Vec<Value> = (0..100).map(|n| set(&n.to_string(), 1024, None)).collect();
    let answers = ask(&gateway, &json!(flood));
    let taken = answers
        .as_array()
        .unwrap()
        .iter()
        .filter(|answer| answer["ok"].is_u64())
        .count();
    assert!((10..16).contains(&taken), "{taken}");
    assert_eq!(answers[99], error("TooLarge"));
    assert_eq!(
        ask(&gateway, &get("0"))["ok"][0].as_str().unwrap().len(),
        1024,
        "nothing is forgotten"
    );
    assert_eq!(calls(&gateway, "kv", "invalid"), (102 - taken) as f64);
}

#[test]
fn p25_a_store_is_granted_by_name_and_each_plugin_has_its_own() {
    let config =
        config(GRANT, "") + &format!("[plugin.other]\ntime = \"10s\"\ncpu = \"5s\"\n{GRANT}\n") + &ask_route("other");
    let files = files().with("plugins/other.wasm", gatewright_tests::guests::guest(GUEST));
    let gateway = files.start(&config);
    ask(&gateway, &set("k", "v", None));
    assert_eq!(ask_as(&gateway, "other", &get("k")), ok(Value::Null));
    for store in ["", "other", "uses-services\0sessions"] {
        assert_eq!(
            ask(&gateway, &json!({ "call": "get", "store": store, "key": "k" })),
            error("NoSuchStore")
        );
    }
    assert_eq!(calls(&gateway, "kv", "refused"), 3.0);
}
