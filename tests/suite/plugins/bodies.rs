//! What the gateway says of the bodies of a route before the first request comes.

use gatewright_tests::{TestFiles, http};
use serde_json::json;

use super::setup::{PATIENT, base, route};

#[test]
fn routes_say_who_collects_bodies_and_what_memory_that_takes() {
    let config = [
        base(),
        format!("[plugin.rewrites]\n{PATIENT}\n"),
        route("plain", "", "respond = 200"),
        route("rewritten", "{ plugin = \"rewrites\" }", "respond = 200"),
    ];
    let gateway = TestFiles::default().with_guests(&["rewrites"]).start(&config.concat());
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    let bodies = |name: &str| {
        let mut routes = routes["routes"].as_array().unwrap().iter();
        routes.find(|route| route["name"] == name).unwrap()["bodies"].clone()
    };
    assert_eq!(
        bodies("plain"),
        json!({ "request": "streams", "response": "streams", "memory_bytes": 0 })
    );
    assert_eq!(
        bodies("rewritten"),
        json!({ "request": "collected by rewrites", "response": "collected by rewrites", "memory_bytes": 19 << 20 })
    );
}

#[test]
fn a_chain_that_cannot_work_is_refused_with_plugin_route_and_line() {
    let config = [
        base(),
        route("it", "{ plugin = \"rewrites\", body = \"16MiB\" }", "respond = 200"),
    ]
    .concat();
    let line = config.lines().position(|line| line.contains("16MiB")).unwrap() + 1;
    let error = TestFiles::default()
        .with_guests(&["rewrites"])
        .try_start(&config)
        .err()
        .unwrap();
    for words in [
        format!(":{line}:10: route[1].chain[0]: route `it`: plugin `rewrites`"),
        "do not fit into its memory of 16MiB".to_owned(),
        "[plugin.rewrites]".to_owned(),
    ] {
        assert!(error.contains(&words), "{words}: {error}");
    }
}
