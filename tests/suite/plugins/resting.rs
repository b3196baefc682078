//! P6: a plugin that fails again and again is given a rest.

use std::time::{Duration, Instant};

use gatewright_tests::{eventually, guests};

use super::setup::{Asked, HOOKS, Kinds, PATIENT, code};

/// Failures in a row after which a plugin rests.
const THRESHOLD: usize = 5;

/// Lets the guest fail until it rests; what the first refused request became.
fn until_it_rests(kinds: &Kinds, hook: &str) -> Asked {
    for _ in 0..THRESHOLD {
        kinds
            .ask(hook, "")
            .assert_failed(hook, "traps", 500, code(hook, "PLUGIN_FAULT"));
    }
    kinds.ask(hook, "")
}

#[test]
fn p6_a_plugin_that_traps_on_every_request_rests_and_is_tried_again() {
    let kinds = Kinds::start("traps", PATIENT, "");
    for hook in HOOKS {
        let traps = kinds.metric("traps_total", "");
        let asked = until_it_rests(&kinds, hook);
        let rested = Instant::now();
        asked.assert_failed(hook, "traps", 503, "PLUGIN_UNAVAILABLE");
        assert_eq!(asked.response.header("retry-after"), Some("1"), "{asked:?}");
        // Good requests are refused too, without the plugin being run.
        kinds
            .ask(hook, "off")
            .assert_failed(hook, "traps", 503, "PLUGIN_UNAVAILABLE");
        assert_eq!(kinds.metric("traps_total", ""), traps + 5.0);
        assert_eq!(
            kinds.metric("calls_total", &format!("hook=\"{hook}\",outcome=\"resting\"")),
            2.0
        );
        eventually("the plugin is tried again", || {
            (kinds.ask(hook, "off").response.status == 200).then_some(())
        });
        let rest = rested.elapsed();
        assert!(
            Duration::from_millis(700) < rest && rest < Duration::from_secs(3),
            "{hook}: {rest:?}"
        );
        kinds.assert_works();
    }
}

#[test]
fn p6_a_plugin_that_is_replaced_works_at_once() {
    let kinds = Kinds::start("traps", PATIENT, "");
    let asked = until_it_rests(&kinds, "integration");
    assert_eq!(asked.response.error(), Some("PLUGIN_UNAVAILABLE"));
    // Another plugin under the same name, which never traps.
    kinds.gateway.write("plugins/traps.wasm", guests::guest("spins"));
    kinds.gateway.reload().unwrap();
    let asked = kinds.ask("integration", "");
    assert_eq!(
        (asked.response.status, asked.response.text().as_str()),
        (200, "survived\n"),
        "{asked:?}"
    );
}

#[test]
fn p6_a_plugin_that_fails_now_and_then_never_rests() {
    let kinds = Kinds::start("traps", PATIENT, "");
    for _ in 0..4 {
        for _ in 1..THRESHOLD {
            assert_eq!(kinds.ask("integration", "").response.error(), Some("PLUGIN_FAULT"));
        }
        assert_eq!(kinds.ask("integration", "off").response.status, 200);
    }
}

#[test]
fn p6_a_resting_plugin_takes_no_other_along() {
    let kinds = Kinds::start("traps", PATIENT, "");
    assert_eq!(
        until_it_rests(&kinds, "integration").response.error(),
        Some("PLUGIN_UNAVAILABLE")
    );
    let neighbour = gatewright_tests::http(kinds.gateway.addr("public"), "GET", "/neighbour", &[], b"");
    assert_eq!(neighbour.text(), "here");
    let plugins = gatewright_tests::http(kinds.gateway.admin(), "GET", "/plugins", &[], b"").json();
    assert_eq!(plugins["plugins"][0]["runtime"]["resting"], 1, "{plugins}");
}
