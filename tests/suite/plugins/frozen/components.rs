//! Components that were built when the interface was frozen: each has every kind and calls every service, and behaves in
//! this gateway as it did then. `tests/frozen/README.md` says how that is.

use std::fs;

use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, http};
use http::{Request, Response};
use serde_json::json;

use super::super::setup::{PATIENT, base, route};
use super::folder;

const SERVICES: &str =
    "KV=NEW CACHE=TRUE,CACHED COUNTERS=2,TRUE,9 SECRET=SESAME HTTP=200,PONG,2 TIME=TRUE RANDOM=TRUE.";

fn component(language: &str) -> Vec<u8> {
    let file = folder().join(format!("{language}.wasm.zst"));
    let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    zstd::decode_all(bytes.as_slice()).unwrap()
}

fn config(origin: &Origin, greeting: &str) -> String {
    let used = format!(
        "plugin = \"frozen\", config = {{ greeting = \"{greeting}\", origin = \"{}/ping\" }}",
        origin.url()
    );
    let plugin = format!(
        "[plugin.frozen]\n{PATIENT}\nmemory = \"64MiB\"\ninstances = {{ reuse = 1000 }}\n\
         grants = {{ kv = [\"frozen\"], cache = [\"frozen\"], counters = [\"frozen\"], secrets = [\"FROZEN\"], \
         http = [\"{}\"], metrics = true }}\n[secrets]\nFROZEN = \"file:word\"\n\
         [kv.frozen]\n[cache.frozen]\n[counters.frozen]\n",
        origin.url()
    );
    [base(), plugin, route("frozen", &format!("{{ {used} }}"), &used)].concat()
}

fn ask(gateway: &TestGateway, path: &str, headers: &[(&str, &str)]) -> RawResponse {
    http(gateway.addr("public"), "POST", path, headers, b"hi")
}

/// Asks a component for everything that it does.
fn runs(language: &str) {
    let origin = Origin::start(|request: Request<_>| async move {
        let asked = (request.method().as_str(), request.headers().get("x-from").cloned());
        let known = asked == ("POST", Some("frozen".parse().unwrap()));
        Response::new(full(if known { "pong" } else { "what?" }))
    });
    let files = TestFiles::default()
        .with("plugins/frozen.wasm", component(language))
        .with("word", "sesame");
    let gateway = files.start(&config(&origin, "hello"));

    let plugins = http(gateway.admin(), "GET", "/plugins", &[], b"").json();
    let plugin = &plugins["plugins"][0]["plugin"];
    assert_eq!(
        (&plugin["name"], &plugin["kinds"], &plugin["services"]),
        (
            &json!("frozen"),
            &json!([
                "authorizer",
                "request-transform",
                "response-transform",
                "body-filter",
                "integration"
            ]),
            &json!([
                "kv",
                "cache",
                "counters",
                "secrets",
                "http-client",
                "metrics",
                "clock",
                "random"
            ])
        ),
        "{plugins}"
    );

    // Every kind, one after the other, and again in the same instance.
    for _ in 0..2 {
        let answer = ask(&gateway, "/frozen/echo", &[("x-user", "ada")]);
        assert_eq!(
            (answer.status, answer.header("x-frozen"), answer.text().as_str()),
            (200, Some("hello"), "HELLO POST /FROZEN/ECHO?FROZEN=1 GOLD ADA HI!."),
            "{answer:?}"
        );
    }
    let answer = ask(&gateway, "/frozen/services", &[("x-user", "ada")]);
    assert_eq!((answer.status, answer.text().as_str()), (200, SERVICES), "{answer:?}");
    assert_eq!(gateway.metric("gatewright_plugin_custom_frozen_level"), 0.5);

    for (headers, status, error) in [
        (&[][..], 403, Some("ACCESS_DENIED")),
        (&[("x-user", "mallory")][..], 403, Some("ACCESS_DENIED")),
        (&[("x-user", "faulty")][..], 500, Some("AUTHORIZER_FAILURE")),
        (&[("x-user", "ada"), ("x-answer", "now")][..], 418, None),
    ] {
        let answer = ask(&gateway, "/frozen/echo", headers);
        assert_eq!(
            (answer.status, answer.error()),
            (status, error),
            "{headers:?}: {answer:?}"
        );
    }

    gateway.rewrite_config(&config(&origin, "wrong"));
    let refused = gateway.reload().unwrap_err();
    assert!(
        refused.contains("config/greeting") && refused.contains("is wrong"),
        "{refused}"
    );
}

#[test]
fn what_was_built_in_c_for_0_1_runs() {
    runs("c");
}

#[test]
fn what_was_built_in_go_for_0_1_runs() {
    runs("go");
}

#[test]
fn what_was_built_in_javascript_for_0_1_runs() {
    runs("javascript");
}

#[test]
fn what_was_built_in_python_for_0_1_runs() {
    runs("python");
}

#[test]
fn what_was_built_in_rust_for_0_1_runs() {
    runs("rust");
}

#[test]
fn what_was_built_in_typescript_for_0_1_runs() {
    runs("typescript");
}
