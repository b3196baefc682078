//! P5, `on_fault`: what becomes of an exchange whose plugin failed. An authorizer never lets it pass.

use gatewright_tests::{Origin, TestFiles, TestGateway, http};

use super::setup::{Kinds, PATIENT, base, route, upstream};

const GUEST: &str = "traps-in-transform";
/// How the guest fails, and the status and code of that.
const FAILURES: [(&str, u16, &str); 5] = [
    ("trap", 500, "PLUGIN_FAULT"),
    ("grow", 500, "PLUGIN_FAULT"),
    ("fault", 503, "PLUGIN_FAULT"),
    ("refused", 500, "PLUGIN_OUTPUT_INVALID"),
    ("loop", 504, "PLUGIN_TIMEOUT"),
];

fn start() -> (TestGateway, Origin) {
    let origin = Origin::saying("from the origin");
    let uses = ["\"deny\"", "\"skip\"", "599"].map(|on_fault| {
        let chain = format!("{{ plugin = \"{GUEST}\", on_fault = {on_fault} }}");
        route(on_fault.trim_matches('"'), &chain, "http = \"app\"")
    });
    // Three routes with one configuration: one runtime, and one breaker.
    let limits = format!("[plugin.{GUEST}]\ntime = \"10s\"\ncpu = \"30ms\"\n");
    let config = [base(), upstream(&origin), limits, uses.concat()].concat();
    (TestFiles::default().with_guests(&[GUEST]).start(&config), origin)
}

fn ask(gateway: &TestGateway, path: &str, hook: &str, mode: &str) -> gatewright_tests::RawResponse {
    http(
        gateway.addr("public"),
        "GET",
        path,
        &[("x-hook", hook), ("x-mode", mode)],
        b"",
    )
}

#[test]
fn p5_a_failed_transform_denies_is_skipped_or_has_the_routes_status() {
    let (gateway, origin) = start();
    for hook in ["request-transform", "response-transform"] {
        for (mode, status, error) in FAILURES {
            let denied = ask(&gateway, "/deny", hook, mode);
            assert_eq!((denied.status, denied.error()), (status, Some(error)), "{hook} {mode}");
            let other = ask(&gateway, "/599", hook, mode);
            assert_eq!((other.status, other.error()), (599, Some(error)), "{hook} {mode}");
            let before = origin.hits();
            let skipped = ask(&gateway, "/skip", hook, mode);
            assert_eq!(
                (skipped.status, skipped.error()),
                (200, None),
                "{hook} {mode}: {skipped:?}"
            );
            assert_eq!(skipped.text(), "from the origin");
            assert_eq!(origin.hits(), before + 1);
            // Nothing of what the failed hook would have done is there, and the other hook's is.
            let sent = origin.requests().pop().unwrap();
            assert_eq!(
                sent.headers.contains_key("x-transformed"),
                hook == "response-transform",
                "{mode}"
            );
            assert_eq!(
                skipped.header("x-transformed").is_some(),
                hook == "request-transform",
                "{mode}"
            );
            assert_eq!(ask(&gateway, "/deny", hook, "").status, 200, "{hook} {mode}");
        }
    }
    assert_eq!(
        gateway.metric(&format!("gatewright_plugin_skipped_total{{plugin=\"{GUEST}\"}}")),
        10.0
    );
}

#[test]
fn p5_an_authorizer_with_a_status_of_its_own_still_denies() {
    let kinds = Kinds::start("traps", PATIENT, ", on_fault = 503");
    for mode in ["", "panic", "divide"] {
        let asked = kinds.ask("authorizer", mode);
        asked.assert_failed("authorizer", "traps", 503, "AUTHORIZER_FAILURE");
        kinds.assert_works();
    }
    assert_eq!(kinds.origin.hits(), 9);
}

#[test]
fn p5_an_authorizer_that_shall_be_skipped_is_refused_at_load() {
    let config = [
        base(),
        route("open", "{ plugin = \"traps\", on_fault = \"skip\" }", "respond = 200"),
    ]
    .concat();
    let refused = TestFiles::default().with_guests(&["traps"]).try_start(&config);
    let message = refused.err().expect("an authorizer that fails open does not load");
    assert!(
        message.contains("route `open`") && message.contains("authorizer"),
        "{message}"
    );
    assert!(message.contains("must not let requests pass"), "{message}");
}
