//! P5: a trap is a failure of one exchange.

use super::setup::{HOOKS, Kinds, PATIENT, code};

const MODES: [(&str, &str, &str); 5] = [
    ("", "unreachable", "unreachable"),
    (
        "panic",
        "unreachable",
        "it said: panicked at examples/traps.rs:19:24:\\nasked to panic",
    ),
    ("divide", "fault", "integer divide by zero"),
    ("out-of-bounds", "fault", "out of bounds"),
    ("abort", "", ""),
];

#[test]
fn p5_a_trap_fails_that_exchange_in_every_hook_and_the_next_is_fine() {
    let kinds = Kinds::start("traps", PATIENT, "");
    for hook in HOOKS {
        for (mode, reason, cause) in MODES {
            let before = kinds.metric("traps_total", &format!("reason=\"{reason}\""));
            let asked = kinds.ask(hook, mode);
            asked.assert_failed(hook, "traps", 500, code(hook, "PLUGIN_FAULT"));
            assert!(
                asked.record["cause"].as_str().unwrap().contains(cause),
                "{mode}: {asked:?}"
            );
            assert_eq!(asked.record["outcome"], "failed");
            if !reason.is_empty() {
                assert_eq!(
                    kinds.metric("traps_total", &format!("reason=\"{reason}\"")),
                    before + 1.0,
                    "{mode}"
                );
            }
            kinds.assert_works();
        }
        assert_eq!(
            kinds.metric("calls_total", &format!("hook=\"{hook}\",outcome=\"trap\"")),
            5.0,
            "{hook}"
        );
    }
    assert_eq!(kinds.metric("instances", ""), 0.0);
}

#[test]
fn p5_a_trap_before_the_upstream_is_asked_keeps_it_from_being_asked() {
    let kinds = Kinds::start("traps", PATIENT, "");
    for hook in ["authorizer", "request-transform"] {
        assert_eq!(kinds.ask(hook, "panic").response.status, 500);
        assert_eq!(kinds.origin.hits(), 0, "{hook}");
    }
    // A response transform comes after, and what it was to change is not shown.
    let asked = kinds.ask("response-transform", "panic");
    assert_eq!((asked.response.status, kinds.origin.hits()), (500, 1));
    assert!(!asked.response.text().contains("from the origin"));
}

#[test]
fn p5_an_instance_that_trapped_is_not_used_again() {
    let kinds = Kinds::start("traps", &format!("{PATIENT}\ninstances = {{ reuse = 1000 }}"), "");
    let idle = || kinds.metric("instances", "state=\"idle\"");
    assert_eq!(kinds.ask("integration", "off").response.status, 200);
    let waiting = idle();
    assert!(waiting >= 1.0);
    // Both workers: each has a pool of its own, and a new connection may reach either.
    for _ in 0..4 {
        kinds
            .ask("integration", "panic")
            .assert_failed("integration", "traps", 500, "PLUGIN_FAULT");
        assert!(idle() <= waiting);
    }
    assert_eq!(kinds.ask("integration", "off").response.status, 200);
    assert_eq!(kinds.metric("instances", "state=\"busy\""), 0.0);
}
