//! P1, P15: a guest that never comes back costs its own exchange.

use std::time::{Duration, Instant};

use gatewright_tests::neighbour::Neighbour;
use gatewright_tests::{RawClient, TestFiles, eventually};

use super::setup::{Crowd, HOOKS, Kinds, PATIENT, base, heavy, route};

/// A neighbour's p99 on a machine of two cores that also runs the other tests.
const UNDISTURBED: Duration = Duration::from_millis(150);

#[test]
fn p1_an_endless_loop_is_interrupted_in_every_hook() {
    let _heavy = heavy();
    let kinds = Kinds::start("loops-in-hook", "time = \"2s\"\ncpu = \"30ms\"", "");
    for hook in HOOKS {
        for mode in ["", "memory"] {
            let began = Instant::now();
            let asked = kinds.ask(hook, mode);
            asked.assert_failed(hook, "loops-in-hook", 504, "PLUGIN_TIMEOUT");
            let cause = asked.record["cause"].as_str().unwrap();
            assert!(cause.contains("processor time (`cpu`)"), "{cause}");
            assert!(
                began.elapsed() < Duration::from_secs(1),
                "{hook}: {:?}",
                began.elapsed()
            );
            kinds.assert_works();
        }
        let outcome = format!("hook=\"{hook}\",outcome=\"timeout\"");
        assert_eq!(kinds.metric("calls_total", &outcome), 2.0, "{hook}");
    }
    assert_eq!(kinds.metric("traps_total", "reason=\"cpu\""), 8.0);
    assert!(kinds.metric("cpu_seconds_total", "") >= 8.0 * 0.03);
    assert_eq!(kinds.metric("instances", ""), 0.0);
}

#[test]
fn p1_a_guest_has_no_more_wall_time_than_it_may_have() {
    let _heavy = heavy();
    let kinds = Kinds::start("loops-in-hook", "time = \"50ms\"\ncpu = \"10s\"", "");
    for hook in HOOKS {
        let asked = kinds.ask(hook, "");
        asked.assert_failed(hook, "loops-in-hook", 504, "PLUGIN_TIMEOUT");
        assert!(
            asked.record["cause"].as_str().unwrap().contains("wall time (`time`)"),
            "{asked:?}"
        );
        assert!(asked.record["duration_ms"].as_f64().unwrap() < 1_000.0, "{asked:?}");
        assert_eq!(kinds.ask(hook, "off").response.status, 200);
    }
    assert_eq!(kinds.metric("traps_total", "reason=\"time\""), 4.0);
}

#[test]
fn p1_loops_at_once_leave_a_neighbour_its_latency() {
    let _heavy = heavy();
    for (count, hook) in [(20, "integration"), (100, "authorizer")] {
        let kinds = Kinds::start(
            "loops-in-hook",
            "time = \"1500ms\"\ncpu = \"1500ms\"\nconcurrency = 200",
            "",
        );
        let neighbour = Neighbour::start(&kinds.gateway, "public", "/neighbour");
        let path = kinds.path(hook);
        let answers = Crowd::send(&kinds.gateway, count, &path, &[("x-hook", hook)]).answers();
        let latencies = neighbour.stop();
        for answer in answers {
            assert_eq!(
                (answer.status, answer.error()),
                (504, Some("PLUGIN_TIMEOUT")),
                "{answer:?}"
            );
        }
        latencies.assert_below(UNDISTURBED, &format!("P1, {count} loops in the {hook}"));
        assert_eq!(kinds.metric("instances", ""), 0.0);
    }
}

#[test]
fn p1_loops_at_once_leave_a_neighbour_that_calls_a_plugin_its_latency() {
    let _heavy = heavy();
    let limits = format!("[plugin.loops-in-hook]\ntime = \"1500ms\"\ncpu = \"1500ms\"\n[plugin.decides]\n{PATIENT}\n");
    let routes =
        route("loops", "", "plugin = \"loops-in-hook\"") + &route("quick", "{ plugin = \"decides\" }", "respond = 200");
    let files = TestFiles::default().with_guests(&["loops-in-hook", "decides"]);
    let gateway = files.start(&[base(), limits, routes].concat());
    let neighbour = Neighbour::start(&gateway, "public", "/quick");
    let answers = Crowd::send(&gateway, 40, "/loops", &[]).answers();
    let latencies = neighbour.stop();
    assert!(
        answers.iter().all(|answer| answer.error() == Some("PLUGIN_TIMEOUT")),
        "{answers:?}"
    );
    latencies.assert_below(UNDISTURBED, "P1, 40 loops beside calls of another plugin");
}

#[test]
fn p1_a_hundred_loops_within_the_usual_limits_leave_a_neighbour_its_latency() {
    let _heavy = heavy();
    let kinds = Kinds::start("loops-in-hook", "", "");
    let neighbour = Neighbour::start(&kinds.gateway, "public", "/neighbour");
    let mut answers = Vec::new();
    while neighbour.count() < 400 {
        let path = kinds.path("integration");
        answers.extend(Crowd::send(&kinds.gateway, 100, &path, &[]).answers());
    }
    let latencies = neighbour.stop();
    // Some run out of time, some find no place, and then the plugin rests.
    for answer in answers {
        let expected = [
            (504, "PLUGIN_TIMEOUT"),
            (503, "PLUGIN_SATURATED"),
            (503, "PLUGIN_UNAVAILABLE"),
        ];
        assert!(
            expected.contains(&(answer.status, answer.error().unwrap())),
            "{answer:?}"
        );
    }
    latencies.assert_below(
        UNDISTURBED,
        "P1, 100 loops at once within the usual limits, again and again",
    );
}

#[test]
fn p15_a_client_that_leaves_takes_the_guest_along() {
    let _heavy = heavy();
    let kinds = Kinds::start("loops-in-hook", "time = \"9s\"\ncpu = \"9s\"", "");
    for hook in HOOKS {
        let path = kinds.path(hook);
        let mut client = RawClient::connect(kinds.gateway.addr("public"));
        client.send(gatewright_tests::raw_client::request(
            "GET",
            &path,
            &[("x-hook", hook)],
            b"",
        ));
        eventually("the guest runs", || {
            (kinds.metric("instances", "state=\"busy\"") == 1.0).then_some(())
        });
        // Who closes its side sooner only says that there is no other request (C10).
        assert!(client.is_silent_for(Duration::from_millis(150)));
        drop(client);
        let left = Instant::now();
        eventually("the instance is gone", || {
            (kinds.metric("instances", "") == 0.0).then_some(())
        });
        assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
        let record = super::setup::record(&kinds.gateway, &path);
        assert_eq!(
            (record["status"].as_u64(), record["outcome"].as_str()),
            (Some(499), Some("client_gone")),
            "{record}"
        );
        let cancelled = format!("hook=\"{hook}\",outcome=\"cancelled\"");
        assert_eq!(kinds.metric("calls_total", &cancelled), 1.0, "{hook}");
    }
    kinds.assert_works();
}
