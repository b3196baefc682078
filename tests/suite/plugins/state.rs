//! P30: what one request leaves behind in a guest, the next one does not find, unless the operator wants it so.

use std::collections::HashSet;

use gatewright_tests::{Origin, RawClient, TestFiles, TestGateway, http};
use serde_json::{Value, json};

use super::setup::{PATIENT, base, route, upstream};

fn start(instances: &str) -> (TestGateway, Origin) {
    let origin = Origin::saying("from the origin");
    let config = [
        base(),
        upstream(&origin),
        format!("[plugin.keeps-state]\n{PATIENT}\n{instances}\n"),
        route("integration", "", "plugin = \"keeps-state\""),
        route("transform", "{ plugin = \"keeps-state\" }", "http = \"app\""),
    ];
    (
        TestFiles::default()
            .with_guests(&["keeps-state"])
            .start(&config.concat()),
        origin,
    )
}

#[test]
fn p30_a_fresh_instance_remembers_nothing() {
    let (gateway, origin) = start("");
    let mut client = RawClient::connect(gateway.addr("public"));
    for number in 0..200 {
        let canary = format!("canary-{number}");
        let answer = client.request("GET", "/integration", &[("x-canary", &canary)], b"");
        assert_eq!(answer.json(), json!({ "calls": 1, "seen": [canary] }));
        assert_eq!(
            client
                .request("GET", "/transform", &[("x-canary", &canary)], b"")
                .status,
            200
        );
        let sent = origin.requests().pop().unwrap();
        assert_eq!(
            (sent.headers["x-calls"].as_bytes(), sent.headers["x-seen"].as_bytes()),
            (&b"1"[..], canary.as_bytes())
        );
    }
    assert_eq!(
        gateway.metric("gatewright_plugin_instances{plugin=\"keeps-state\"}"),
        0.0
    );
}

#[test]
fn p30_an_instance_is_used_again_only_when_configured_and_so_often() {
    let (gateway, _origin) = start("instances = { reuse = 5 }");
    // One connection is one worker's, and a worker has its own instances.
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut calls = Vec::new();
    for number in 0..20 {
        let answer = client
            .request("GET", "/integration", &[("x-canary", &number.to_string())], b"")
            .json();
        calls.push(answer["calls"].as_u64().unwrap());
        assert_eq!(
            answer["seen"].as_array().unwrap().last(),
            Some(&Value::from(number.to_string()))
        );
    }
    assert_eq!(calls, [1, 2, 3, 4, 5].repeat(4));
}

#[test]
fn p30_an_instance_serves_one_request_at_a_time() {
    let (gateway, _origin) = start("instances = { reuse = 1000000 }");
    let addr = gateway.addr("public");
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut client = RawClient::connect(addr);
                let ask = |number| {
                    let canary = format!("{thread}-{number}");
                    let answer = client
                        .request("GET", "/integration", &[("x-canary", &canary)], b"")
                        .json();
                    // Two calls at once in one instance would put another's canary last.
                    assert_eq!(answer["seen"].as_array().unwrap().last().unwrap(), &canary);
                    canary
                };
                (0..50).map(ask).collect::<HashSet<String>>()
            })
        })
        .collect();
    let canaries: usize = threads.into_iter().map(|thread| thread.join().unwrap().len()).sum();
    assert_eq!(canaries, 400);
}

#[test]
fn p30_a_plugin_that_wants_fresh_instances_is_not_reused() {
    let config = [
        base(),
        "[plugin.decides]\ninstances = { reuse = 2 }\n".to_owned(),
        route("all", "{ plugin = \"decides\" }", "respond = 200"),
    ];
    let message = TestFiles::default()
        .with_guests(&["decides"])
        .try_start(&config.concat())
        .err()
        .expect("reuse");
    assert!(
        message.contains("one call only") && message.contains("remove `instances`"),
        "{message}"
    );
}

#[test]
fn p30_plugins_with_other_configurations_share_no_instance() {
    let config = [
        base(),
        format!("[plugin.keeps-state]\n{PATIENT}\ninstances = {{ reuse = 100 }}\n"),
        route("one", "", "plugin = \"keeps-state\", config = { tenant = 1 }"),
        route("two", "", "plugin = \"keeps-state\", config = { tenant = 2 }"),
        route("three", "", "plugin = \"keeps-state\", config = { tenant = 1 }"),
    ];
    let gateway = TestFiles::default()
        .with_guests(&["keeps-state"])
        .start(&config.concat());
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut seen =
        |path: &str, canary: &str| client.request("GET", path, &[("x-canary", canary)], b"").json()["seen"].clone();
    assert_eq!(seen("/one", "a"), json!(["a"]));
    assert_eq!(seen("/two", "b"), json!(["b"]));
    // The same configuration is the same runtime, on whichever route.
    assert_eq!(seen("/three", "c"), json!(["a", "c"]));
    assert_eq!(seen("/two", "d"), json!(["b", "d"]));
    assert_eq!(
        http(gateway.admin(), "GET", "/plugins", &[], b"").json()["plugins"][0]["runtime"]["runtimes"],
        2
    );
}
