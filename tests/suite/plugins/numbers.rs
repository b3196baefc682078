//! What operators see of plugins: what each takes, on which route, and how its calls end.

use std::sync::Arc;
use std::time::Duration;

use gatewright_tests::{Origin, TestFiles, TestGateway, eventually, full, http};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::setup::{Crowd, PATIENT, base, heavy, route};

/// One plugin on two routes.
fn start(guest: &str, limits: &str) -> TestGateway {
    let limits = format!("[plugin.{guest}]\n{PATIENT}\n{limits}\n");
    let one = route("one", "", &format!("plugin = \"{guest}\""));
    let two = route("two", "", &format!("plugin = \"{guest}\""));
    let files = TestFiles::default().with_guests(&[guest]);
    files.start(&[base(), limits, one, two].concat())
}

fn on(gateway: &TestGateway, metric: &str, route: &str) -> f64 {
    let separator = if metric.ends_with('}') { "" } else { "{}" };
    let metric = format!("gatewright_plugin_{metric}{separator}");
    let (name, labels) = metric.trim_end_matches('}').split_once('{').unwrap();
    gateway.metric(&format!("{name}{{route=\"{route}\",{labels}}}"))
}

/// What `/plugins` says of a plugin on a route.
fn shown(gateway: &TestGateway, route: &str) -> Value {
    let page = http(gateway.admin(), "GET", "/plugins", &[], b"").json();
    let routes = page["plugins"][0]["runtime"]["routes"].as_array().unwrap();
    routes.iter().find(|shown| shown["route"] == route).unwrap().clone()
}

#[test]
fn calls_and_why_they_were_ended_are_told_by_route() {
    let gateway = start("grows-memory", "memory = \"16MiB\"");
    let ask = |path, mode| http(gateway.addr("public"), "GET", path, &[("x-mode", mode)], b"").status;
    assert_eq!(
        (ask("/one", "off"), ask("/one", ""), ask("/two", "off")),
        (200, 500, 200)
    );
    assert_eq!(on(&gateway, "calls_total{outcome=\"ok\"}", "one"), 1.0);
    assert_eq!(on(&gateway, "calls_total{outcome=\"trap\"}", "one"), 1.0);
    assert_eq!(on(&gateway, "traps_total{reason=\"memory\"}", "one"), 1.0);
    assert_eq!(on(&gateway, "calls_total", "two"), 1.0);
    assert_eq!(on(&gateway, "traps_total", "two"), 0.0);
    // The one that grew until it was ended had more than the one that did nothing.
    let (one, two) = (
        on(&gateway, "memory_high_water_bytes", "one"),
        on(&gateway, "memory_high_water_bytes", "two"),
    );
    assert!(one > 10e6 && two < 10e6 && two > 0.0, "{one} {two}");
    let one = shown(&gateway, "one");
    assert_eq!(one["traps"], json!([["memory", 1]]));
    assert_eq!(
        one["calls"][1],
        json!({ "hook": "integration", "outcome": "trap", "count": 1 })
    );
    assert_eq!(shown(&gateway, "two")["traps"], json!([]));
}

#[test]
fn a_call_in_the_queue_is_seen_there_and_its_time_is_no_time_of_the_plugin() {
    let _heavy = heavy();
    let gateway = start("spins", "concurrency = 1\nqueue_timeout = \"10s\"");
    let busy = Crowd::send(&gateway, 1, "/one", &[("x-spin-ms", "600")]);
    let progress = |state: &str, route| on(&gateway, &format!("calls_in_progress{{state=\"{state}\"}}"), route);
    eventually("a call runs", || (progress("running", "one") == 1.0).then_some(()));
    let queued = Crowd::send(&gateway, 1, "/two", &[]);
    eventually("a call waits", || (progress("waiting", "two") == 1.0).then_some(()));
    assert_eq!((progress("waiting", "one"), progress("running", "two")), (0.0, 0.0));
    assert_eq!((busy.answers()[0].status, queued.answers()[0].status), (200, 200));
    for state in ["running", "waiting"] {
        assert_eq!((progress(state, "one"), progress(state, "two")), (0.0, 0.0));
    }
    assert_eq!(
        (on(&gateway, "queued_total", "one"), on(&gateway, "queued_total", "two")),
        (0.0, 1.0)
    );
    let (queue, wall) = (
        on(&gateway, "queue_seconds_total", "two"),
        on(&gateway, "wall_seconds_total", "two"),
    );
    assert!(queue > 0.0 && wall > 0.0 && wall < queue, "{queue} {wall}");
    assert_eq!(on(&gateway, "queue_seconds_total", "one"), 0.0);
    assert!(on(&gateway, "wall_seconds_total", "one") >= 0.6);
    // It computed all the time.
    assert!(on(&gateway, "cpu_seconds_total", "one") >= 0.3);
    assert_eq!(shown(&gateway, "two")["queued"], 1);
}

#[test]
fn waiting_for_a_service_is_wall_time_and_no_processor_time() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let held = Arc::clone(&held);
        async move {
            drop(held.acquire().await);
            http::Response::new(full("late"))
        }
    });
    let gateway = start(
        "uses-services",
        &format!("grants = {{ http = [\"{}\"] }}", origin.url()),
    );
    let call = json!({ "call": "send", "url": origin.url() }).to_string();
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| http(gateway.addr("public"), "POST", "/one", &[], call.as_bytes()));
        eventually("the origin is asked", || (origin.hits() == 1).then_some(()));
        // The subject is how this time is counted.
        std::thread::sleep(Duration::from_millis(500));
        gate.add_permits(1);
        asked.join().unwrap()
    });
    assert_eq!(answer.json()["ok"]["body"], "late");
    let one = shown(&gateway, "one");
    let ms = |name: &str| one[name].as_f64().unwrap();
    assert!(ms("wall_ms") >= 500.0 && ms("cpu_ms") > 0.0, "{one}");
    assert!(ms("cpu_ms") <= ms("wall_ms") - 490.0, "{one}");
}
