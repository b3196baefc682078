//! P29: when all places are taken calls wait for a while, are then refused, and nobody waits for ever.

use std::time::{Duration, Instant};

use gatewright_tests::{RawClient, TestFiles, TestGateway, eventually, http};

use super::setup::{Crowd, PATIENT, base, base_with, heavy, route};

/// Long enough for a test to see it run, whatever else the machine does.
const BUSY: &[(&str, &str)] = &[("x-spin-ms", "1200")];

fn start(limits: &str) -> TestGateway {
    let limits = format!("[plugin.spins]\n{PATIENT}\n{limits}\n");
    let config = [base(), limits, route("spins", "", "plugin = \"spins\"")];
    TestFiles::default().with_guests(&["spins"]).start(&config.concat())
}

fn wait_for_busy(gateway: &TestGateway, count: f64) {
    let busy = "gatewright_plugin_instances{plugin=\"spins\",state=\"busy\"}";
    eventually("calls run", || (gateway.metric(busy) == count).then_some(()));
}

#[test]
fn p29_a_call_that_finds_no_place_waits_and_is_then_refused() {
    let _heavy = heavy();
    let gateway = start("concurrency = 1\nqueue_timeout = \"100ms\"");
    let busy = Crowd::send(&gateway, 1, "/spins", BUSY);
    wait_for_busy(&gateway, 1.0);
    let began = Instant::now();
    let refused = http(gateway.addr("public"), "GET", "/spins", &[], b"");
    let waited = began.elapsed();
    assert_eq!(
        (refused.status, refused.error()),
        (503, Some("PLUGIN_SATURATED")),
        "{refused:?}"
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        (Duration::from_millis(95)..Duration::from_millis(800)).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(busy.answers()[0].status, 200);
    assert_eq!(http(gateway.addr("public"), "GET", "/spins", &[], b"").status, 200);
    assert_eq!(gateway.metric("gatewright_plugin_queued_total{plugin=\"spins\"}"), 1.0);
    assert_eq!(
        gateway.metric("gatewright_plugin_calls_total{plugin=\"spins\",outcome=\"saturated\"}"),
        1.0
    );
}

#[test]
fn p29_calls_that_wait_are_served_in_turn_when_there_is_time() {
    let _heavy = heavy();
    let gateway = start("concurrency = 2\nqueue_timeout = \"10s\"");
    let answers = Crowd::send(&gateway, 50, "/spins", &[("x-spin-ms", "5")]).answers();
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(gateway.metric("gatewright_plugin_queued_total{plugin=\"spins\"}") > 0.0);
}

#[test]
fn p29_clients_that_leave_the_queue_leave_their_place_to_others() {
    let _heavy = heavy();
    let gateway = start("concurrency = 1\nqueue_timeout = \"10s\"");
    let busy = Crowd::send(&gateway, 1, "/spins", BUSY);
    wait_for_busy(&gateway, 1.0);
    let mut waiting: Vec<_> = (0..20).map(|_| RawClient::connect(gateway.addr("public"))).collect();
    for client in &mut waiting {
        client.send(b"GET /spins HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    assert!(waiting[19].is_silent_for(Duration::from_millis(200)));
    drop(waiting);
    assert_eq!(http(gateway.addr("public"), "GET", "/spins", &[], b"").status, 200);
    assert_eq!(busy.answers()[0].status, 200);
}

#[test]
fn p29_one_place_is_enough_for_a_plugin_that_stands_in_a_route_twice() {
    // Authorizer, transforms and integration of one plugin with one place: each call ends before the next begins.
    let limits = format!("[plugin.version-one]\n{PATIENT}\nconcurrency = 1\nqueue_timeout = \"10s\"\n");
    let all = route("all", "{ plugin = \"version-one\" }", "plugin = \"version-one\"");
    let gateway = TestFiles::default()
        .with_guests(&["version-one"])
        .start(&[base(), limits, all].concat());
    for answer in Crowd::send(&gateway, 30, "/all", &[]).answers() {
        assert_eq!((answer.status, answer.text().as_str()), (200, "v1"), "{answer:?}");
    }
}

#[test]
fn p29_all_instances_together_are_bounded_and_a_full_pool_refuses() {
    let _heavy = heavy();
    let limits = format!("[plugin.spins]\n{PATIENT}\n[plugin.echo-body]\n{PATIENT}\n");
    let routes = route("spins", "", "plugin = \"spins\"") + &route("echo", "", "plugin = \"echo-body\"");
    let config = [base_with("instances = 2"), limits, routes];
    let gateway = TestFiles::default()
        .with_guests(&["spins", "echo-body"])
        .start(&config.concat());
    let busy = Crowd::send(&gateway, 2, "/spins", BUSY);
    wait_for_busy(&gateway, 2.0);
    let refused = http(gateway.addr("public"), "GET", "/echo", &[], b"");
    assert_eq!(
        (refused.status, refused.error()),
        (503, Some("PLUGIN_SATURATED")),
        "{refused:?}"
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(busy.answers().iter().all(|answer| answer.status == 200));
    assert_eq!(
        http(gateway.addr("public"), "POST", "/echo", &[], b"echo").text(),
        "echo"
    );
}
