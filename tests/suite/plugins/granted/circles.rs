//! P13: requests of plugins that lead back to the gateway that they run in.

use gatewright_tests::{Origin, TestFiles, TestGateway, http};
use serde_json::{Value, json};

use super::{GUEST, ask, config, files};
use crate::plugins::setup::{PATIENT, base, route};

/// A gateway whose plugin may ask the gateway itself.
fn circle(files: TestFiles, config: impl Fn(&str) -> String) -> TestGateway {
    let gateway = files.start(&config("http://127.0.0.1:1"));
    gateway.rewrite_config(&config(&gateway.url("public")));
    gateway.reload().unwrap();
    gateway
}

fn granting(url: &str) -> String {
    config(&format!("grants = {{ http = [\"{url}\"] }}"), "")
}

fn serves(url: &str) -> String {
    let limits = format!("[plugin.serves]\n{PATIENT}\ngrants = {{ http = [\"{url}\"] }}\n");
    [base(), limits, route("serves", "", "plugin = \"serves\"")].concat()
}

/// Exchanges that were taken for a loop.
fn loops(gateway: &TestGateway) -> usize {
    let records = gateway.wait_for_records(5);
    let noticed = records.iter().filter(|record| record["error"] == "LOOP_DETECTED");
    noticed.count()
}

#[test]
fn p13_a_plugin_that_asks_its_own_gateway_is_answered_508_after_a_few_rounds() {
    let gateway = circle(files(), granting);
    let url = format!("{}/{GUEST}", gateway.url("public"));
    let mut call = json!([]);
    for _ in 0..7 {
        call = json!({ "call": "send", "method": "POST", "url": url, "body": call.to_string() });
    }
    let mut answer = ask(&gateway, &call)["ok"].take();
    let mut rounds = 1;
    while answer["status"] == 200 {
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        answer = body["ok"].clone();
        rounds += 1;
    }
    assert_eq!((rounds, &answer["status"]), (4, &json!(508)), "{answer}");
    let fields = answer["fields"].as_array().unwrap();
    assert!(
        fields.contains(&json!(["x-gatewright-error", "LOOP_DETECTED"])),
        "{fields:?}"
    );
    assert_eq!(loops(&gateway), 1);
}

#[test]
fn p13_a_standard_server_that_passes_requests_back_is_answered_508_too() {
    let gateway = circle(TestFiles::default().with_guests(&["serves"]), serves);
    let url = format!("{}/serves/ask", gateway.url("public"));
    // It passes on the field that says where to, so it would go round for ever.
    let answer = http(
        gateway.addr("public"),
        "POST",
        "/serves/ask",
        &[("x-ask", url.as_str())],
        b"",
    );
    // The guest passes the status and the body back, round by round, and no other field.
    assert_eq!(answer.status, 508, "{answer:?}");
    assert_eq!(loops(&gateway), 1);
}

#[test]
fn p13_a_plugin_can_neither_forge_nor_leave_out_where_its_request_came_by() {
    let origin = Origin::saying("hello");
    let url = origin.url();
    let came_by = [("via", "1.0 fred, 1.1 gatewright-00000001"), ("x-ask", url.as_str())];
    let seen = |gateway: &TestGateway, path: &str, body: &Value| {
        let answer = http(
            gateway.addr("public"),
            "POST",
            path,
            &came_by,
            body.to_string().as_bytes(),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        let headers = origin.requests().pop().unwrap().headers;
        let via: Vec<_> = headers
            .get_all("via")
            .iter()
            .map(|via| via.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(via.len(), 1, "{via:?}");
        via.concat()
    };
    let gateway = files().start(&granting(&origin.url()));
    let call = json!({ "call": "send", "url": origin.url() });
    let own = seen(&gateway, &format!("/{GUEST}"), &call);
    // Who else the client came by is nobody's affair there.
    assert!(own.starts_with("1.1 gatewright-00000001, 1.1 gatewright-"), "{own}");
    let forged = json!({ "call": "send", "url": origin.url(), "fields": { "Via": "1.1 somebody" } });
    let refused = ask(&gateway, &forged);
    assert!(
        refused["error"].as_str().unwrap().starts_with("BadRequest"),
        "{refused}"
    );
    // A standard program passes on what it was asked with, this field among it.
    let gateway = TestFiles::default()
        .with_guests(&["serves"])
        .start(&serves(&origin.url()));
    assert_eq!(seen(&gateway, "/serves/ask", &json!("")), own);
}
