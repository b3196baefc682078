//! `counters`: windows and token buckets, kept by the engine that keeps those of `throttle`.

use gatewright_tests::eventually;
use serde_json::{Value, json};

use super::{GUEST, ask, ask_as, ask_route, calls, config, error, files, ok};

const GRANT: &str = "grants = { counters = [\"logins\"] }";

fn add(counter: &str, key: &str, window: u64) -> Value {
    json!({ "call": "add", "store": counter, "key": key, "window": window })
}

fn take(tokens: u64, capacity: u64, rate: &Value) -> Value {
    json!({ "call": "take", "store": "logins", "key": "k", "tokens": tokens, "capacity": capacity, "rate": rate })
}

#[test]
fn counts_are_shared_by_the_calls_of_a_plugin_and_survive_a_reload() {
    let gateway = files().start(&config(GRANT, ""));
    assert_eq!(ask(&gateway, &add("logins", "k", 60_000)), ok(1));
    assert_eq!(ask(&gateway, &add("logins", "k", 60_000)), ok(2));
    assert_eq!(ask(&gateway, &add("logins", "other", 60_000)), ok(1));
    gateway.rewrite_config(&config(&format!("{GRANT}\nlog_bytes = \"1KiB\""), ""));
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, &add("logins", "k", 60_000)), ok(3));
    assert_eq!(ask(&gateway, &take(2, 3, &json!(0.001))), ok(json!([true, 1, 0])));
    let refused = ask(&gateway, &take(2, 3, &json!(0.001)));
    assert_eq!((&refused["ok"][0], &refused["ok"][1]), (&json!(false), &json!(1)));
    assert!(refused["ok"][2].as_u64().is_some_and(|ms| ms > 900_000), "{refused}");
}

#[test]
fn a_window_ends() {
    let gateway = files().start(&config(GRANT, ""));
    assert_eq!(ask(&gateway, &add("logins", "k", 50)), ok(1));
    eventually("another window", || {
        let count = ask(
            &gateway,
            &json!({ "call": "add", "store": "logins", "key": "k", "window": 50, "delta": 0 }),
        );
        (count == ok(0)).then_some(())
    });
}

#[test]
fn a_counter_that_is_not_granted_and_a_question_that_makes_no_sense_are_refused() {
    let gateway = files().start(&config(GRANT, ""));
    for name in ["", "Logins", "logins/../logins", "sessions"] {
        assert_eq!(ask(&gateway, &add(name, "k", 1)), error("NoSuchCounter"), "{name}");
    }
    let long = "k".repeat(513);
    for wrong in [
        add("logins", "k", 0),
        add("logins", &long, 1),
        take(1, 0, &json!(1)),
        take(4, 3, &json!(1)),
        take(1, 1, &json!(0)),
        take(1, 1, &json!(-1)),
        take(1, 1, &Value::Null),
    ] {
        let answer = ask(&gateway, &wrong);
        assert!(
            answer["error"].as_str().unwrap().starts_with("BadRequest"),
            "{wrong}: {answer}"
        );
    }
    assert_eq!(calls(&gateway, "counters", "refused"), 4.0);
    assert_eq!(calls(&gateway, "counters", "invalid"), 7.0);
}

#[test]
fn plugins_have_counters_of_their_own_though_they_have_the_same_name() {
    let config =
        config(GRANT, "") + &format!("[plugin.other]\ntime = \"10s\"\ncpu = \"5s\"\n{GRANT}\n") + &ask_route("other");
    let files = files().with("plugins/other.wasm", gatewright_tests::guests::guest(GUEST));
    let gateway = files.start(&config);
    assert_eq!(ask(&gateway, &add("logins", "k", 60_000)), ok(1));
    assert_eq!(ask_as(&gateway, "other", &add("logins", "k", 60_000)), ok(1));
}

#[test]
fn a_flood_of_keys_stays_within_its_bytes_and_spares_the_longest_window() {
    let gateway = files().start(&config(GRANT, "[counters.logins]\nbytes = \"16KiB\"\n"));
    assert_eq!(ask(&gateway, &add("logins", "long", 3_600_000)), ok(1));
    let flood: Vec<Value> = (0..2_000)
        .map(|n| add("logins", &format!("flood {n}"), 60_000))
        .collect();
    let answers = ask(&gateway, &json!(flood));
    assert!(answers.as_array().unwrap().iter().all(|answer| *answer == ok(1)));
    assert_eq!(ask(&gateway, &add("logins", "long", 3_600_000)), ok(2));
    assert_eq!(
        ask(&gateway, &add("logins", "flood 0", 60_000)),
        ok(1),
        "it has made room"
    );
}
