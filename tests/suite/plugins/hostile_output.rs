//! P8–P10: whatever a plugin answers, only HTTP that is its to write leaves the gateway.

use std::time::Duration;

use gatewright_tests::{Origin, RawClient, TestFiles};

use super::setup::{HOOKS, Kinds, PATIENT, base, code, record, route, upstream};

/// Modes of `bad-output` that are refused, by what is wrong.
const NOT_HTTP: [&str; 14] = [
    "cr-in-value",
    "lf-in-value",
    "crlf-in-value",
    "split",
    "nul-in-value",
    "control-in-value",
    "delete-in-value",
    "crlf-in-name",
    "nul-in-name",
    "space-in-name",
    "colon-in-name",
    "unicode-in-name",
    "empty-name",
    "pseudo-name",
];
const NO_STATUS: [&str; 7] = [
    "status-0",
    "status-99",
    "status-100",
    "status-101",
    "status-600",
    "status-1000",
    "status-65535",
];
const NOT_ITS_TO_WRITE: [&str; 10] = [
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "host",
    "host-upper",
    "proxy-connection",
    "proxy-authorization",
];

/// Asks on a raw connection, twice; everything that came over it. The second answer shows that nothing was left over.
fn raw(kinds: &Kinds, hook: &str, headers: &[(&str, &str)]) -> String {
    let headers = [&[("x-hook", hook)], headers].concat();
    let mut client = RawClient::connect(kinds.gateway.addr("public"));
    client.send(gatewright_tests::raw_client::request(
        "GET",
        &kinds.path(hook),
        &headers,
        b"",
    ));
    client.send("GET /neighbour HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let bytes = client.read_to_end(Duration::from_secs(10));
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The ways of a hook to answer: whether it decides, edits, or makes a response.
fn ways(hook: &str) -> &'static [&'static [(&'static str, &'static str)]] {
    match hook {
        "authorizer" => &[&[], &[("x-decision", "deny")]],
        "integration" => &[&[]],
        _ => &[&[], &[("x-answer", "yes")]],
    }
}

fn assert_refused(kinds: &Kinds, hook: &str, mode: &str, way: &[(&str, &str)]) {
    let headers = [&[("x-mode", mode)], way].concat();
    let wire = raw(kinds, hook, &headers);
    assert!(
        wire.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
        "{hook} {mode} {way:?}: {wire}"
    );
    let error = format!("x-gatewright-error: {}\r\n", code(hook, "PLUGIN_OUTPUT_INVALID"));
    assert!(wire.contains(&error), "{hook} {mode} {way:?}: {wire}");
    // Two requests, two answers, and nothing of the plugin's.
    assert_eq!(wire.matches("HTTP/1.1 ").count(), 2, "{hook} {mode}: {wire}");
    assert!(wire.ends_with("\r\n\r\nhere"), "{hook} {mode}: {wire}");
    for trace in [
        "x-bad",
        "x-worse",
        "x-before",
        "admin=1",
        "0123456789",
        "websocket",
        "evil",
    ] {
        assert!(!wire.contains(trace), "{hook} {mode}: {wire}");
    }
}

#[test]
fn p8_what_is_not_http_never_reaches_the_wire() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for hook in HOOKS {
        for mode in NOT_HTTP {
            ways(hook)
                .iter()
                .for_each(|way| assert_refused(&kinds, hook, mode, way));
        }
    }
    // Requests were stopped before the origin; of its own responses nothing was shown.
    let sent = kinds.origin.requests();
    assert_eq!(sent.len(), NOT_HTTP.len() * ways("response-transform").len());
    assert!(sent.iter().all(|request| !request.headers.contains_key("x-bad")));
}

#[test]
fn p8_a_name_that_is_too_long_never_reaches_the_wire_and_odd_values_do() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for hook in HOOKS {
        let asked = kinds.ask(hook, "long-name");
        asked.assert_failed(hook, "bad-output", 500, code(hook, "PLUGIN_OUTPUT_TOO_LARGE"));
    }
    for mode in ["high-bytes", "empty-value", "spaces-around", "forwarded", "fine"] {
        assert_eq!(kinds.ask("integration", mode).response.status, 200, "{mode}");
    }
}

#[test]
fn p8_only_final_statuses_leave_the_gateway() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for mode in NO_STATUS {
        assert_refused(&kinds, "integration", mode, &[]);
        assert_refused(&kinds, "response-transform", mode, &[]);
        assert_refused(&kinds, "response-transform", mode, &[("x-answer", "yes")]);
        assert_refused(&kinds, "request-transform", mode, &[("x-answer", "yes")]);
        assert_refused(&kinds, "authorizer", mode, &[("x-decision", "deny")]);
    }
    // A denial that looks like success is none.
    let denial = [("x-decision", "deny"), ("x-mode", "status-204-with-body")];
    let asked = kinds.ask_with("authorizer", &denial);
    asked.assert_failed("authorizer", "bad-output", 500, "AUTHORIZER_FAILURE");
    for (mode, status) in [("status-204-with-body", 204), ("status-304-with-body", 304)] {
        let wire = raw(&kinds, "integration", &[("x-mode", mode)]);
        assert!(wire.starts_with(&format!("HTTP/1.1 {status} ")), "{wire}");
        assert!(!wire.contains("0123456789") && wire.ends_with("\r\n\r\nhere"), "{wire}");
    }
}

#[test]
fn p9_framing_and_the_connection_are_the_gateways() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for hook in HOOKS {
        for mode in NOT_ITS_TO_WRITE {
            ways(hook)
                .iter()
                .for_each(|way| assert_refused(&kinds, hook, mode, way));
        }
    }
}

#[test]
fn p9_a_length_that_a_plugin_names_is_ignored_and_the_true_one_sent() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for mode in ["content-length", "content-length-twice"] {
        let wire = raw(&kinds, "integration", &[("x-mode", mode)]);
        assert!(
            wire.starts_with("HTTP/1.1 200 OK\r\n") && wire.contains("content-length: 10\r\n"),
            "{wire}"
        );
        assert!(wire.contains("\r\n\r\n0123456789HTTP/1.1 200 OK\r\n"), "{wire}");
        for hook in ["authorizer", "request-transform", "response-transform"] {
            let asked = kinds.ask(hook, mode);
            assert_eq!(
                (asked.response.status, asked.response.text().as_str()),
                (200, "from the origin"),
                "{hook}"
            );
            assert!(
                !kinds
                    .origin
                    .requests()
                    .pop()
                    .unwrap()
                    .headers
                    .contains_key("content-length"),
                "{hook}"
            );
        }
    }
}

#[test]
fn p9_a_body_that_a_plugin_changes_has_its_new_length() {
    let origin = Origin::saying("from the origin");
    let config = [
        base(),
        upstream(&origin),
        route("all", "{ plugin = \"rewrites\" }", "http = \"app\""),
    ]
    .concat();
    let gateway = TestFiles::default().with_guests(&["rewrites"]).start(&config);
    let mut client = RawClient::connect(gateway.addr("public"));
    for body in ["", "hello", "a longer body than the one before"] {
        let answer = client.request("POST", "/all", &[], body.as_bytes());
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "response:from the origin")
        );
        assert_eq!(answer.header("content-length"), Some("24"));
        let sent = origin.requests().pop().unwrap();
        assert_eq!(sent.body, format!("request:{body}").into_bytes());
        assert_eq!(
            sent.headers["content-length"].to_str().unwrap(),
            (8 + body.len()).to_string()
        );
        assert!(!sent.headers.contains_key("transfer-encoding"), "{sent:?}");
    }
}

#[test]
fn p10_who_the_client_is_and_what_the_gateway_says_is_not_a_plugins_to_write() {
    let kinds = Kinds::start("bad-output", PATIENT, "");
    for hook in HOOKS {
        ways(hook)
            .iter()
            .for_each(|way| assert_refused(&kinds, hook, "gatewright-error", way));
    }
    for hook in ["authorizer", "request-transform"] {
        assert_refused(&kinds, hook, "forwarded", &[]);
    }
    assert!(
        kinds
            .origin
            .requests()
            .iter()
            .all(|request| request.headers["x-forwarded-for"] == "127.0.0.1")
    );
}

#[test]
fn p10_an_identity_that_the_route_writes_is_the_authorizers_and_no_transforms() {
    let origin = Origin::saying("from the origin");
    let says_who = "http = \"app\", headers = { x-principal = \"{auth.principal}\" }";
    let chain = "{ plugin = \"decides\" }, { plugin = \"bad-output\" }";
    let limits = format!("[plugin.decides]\n{PATIENT}\n[plugin.bad-output]\n{PATIENT}\n");
    let config = [base(), upstream(&origin), limits, route("all", chain, says_who)].concat();
    let gateway = TestFiles::default()
        .with_guests(&["decides", "bad-output"])
        .start(&config);
    let headers = [
        ("x-key", "alice"),
        ("x-hook", "request-transform"),
        ("x-mode", "principal"),
        ("x-principal", "root"),
    ];
    let answer = gatewright_tests::http(gateway.addr("public"), "GET", "/all", &headers, b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    // The second authorizer of the chain has the last word, and the transform none.
    assert_eq!(origin.only_request().headers["x-principal"], "guest");
    assert_eq!(record(&gateway, "/all")["principal"], "guest");
}
