//! What a plugin sees: the header fields that it asked for, and what the gateway tells everybody.

use gatewright_tests::{RawClient, RawResponse, TestFiles, TestGateway, http};
use serde_json::json;

use super::setup::{PATIENT, base, record, route};

fn start() -> TestGateway {
    let guests = ["echo", "echo-named", "echo-body", "decides"];
    let limits: String = guests
        .iter()
        .map(|guest| format!("[plugin.{guest}]\n{PATIENT}\n"))
        .collect();
    let echo = "[[route]]\nname = \"echo\"\npath = \"/echo/{id}/{rest+}\"\nchain = [{ plugin = \"decides\" }]\n\
                integration = { plugin = \"echo\" }\n\
                [[route]]\nname = \"small\"\npath = \"/small\"\nintegration = { plugin = \"echo-body\", body = \"8B\" }\n";
    let routes = route("named", "", "plugin = \"echo-named\"") + &route("body", "", "plugin = \"echo-body\"");
    TestFiles::default()
        .with_guests(&guests)
        .start(&[base(), limits, echo.to_owned(), routes].concat())
}

fn ask(gateway: &TestGateway, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawResponse {
    http(gateway.addr("public"), method, path, headers, body)
}

#[test]
fn a_plugin_sees_the_header_fields_it_asked_for_and_no_other() {
    let gateway = start();
    let headers = [
        ("X-SECOND", "b"),
        ("authorization", "secret"),
        ("x-first", "a"),
        ("x-first", "a again"),
        ("x-third", "c"),
    ];
    let seen = ask(&gateway, "GET", "/named", &headers, b"").json();
    assert_eq!(
        seen,
        json!([["x-first", "a"], ["x-first", "a again"], ["x-second", "b"]])
    );
    assert_eq!(
        ask(&gateway, "GET", "/named", &[("x-third", "c")], b"").json(),
        json!([])
    );
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(b"GET /named HTTP/1.1\r\nHost: localhost\r\nx-first: \xe9\r\n\r\n");
    assert_eq!(client.read_response().json(), json!([["x-first", "\u{fffd}"]]));
}

#[test]
fn a_plugin_sees_the_trace_that_the_request_belongs_to_and_half_of_the_request_id() {
    let gateway = start();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = |trace: &str| {
        ask(
            &gateway,
            "GET",
            "/echo/7/a",
            &[("x-key", "alice"), ("traceparent", trace)],
            b"",
        )
    };
    let answer = ask(trace);
    let seen = answer.json();
    assert_eq!(seen["trace_parent"], trace);
    let number = format!("{:016x}", seen["exchange"].as_u64().unwrap());
    let record = record(&gateway, "/echo/7/a");
    assert!(
        record["request_id"].as_str().unwrap().ends_with(&number),
        "{record} {number}"
    );
    assert_eq!(ask("00-no-trace-01").json()["trace_parent"], json!(null));
}

#[test]
fn a_plugin_sees_the_request_as_the_chain_left_it() {
    let gateway = start();
    let path = "/echo/7/a//b/../c%7Ed?q=1&q=%20";
    let headers = [
        ("host", "api.example:8080"),
        ("x-key", "alice"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    let seen = ask(&gateway, "POST", path, &headers, b"12345").json();
    assert_eq!(seen["method"], "POST");
    assert_eq!(
        (seen["scheme"].as_str(), seen["authority"].as_str()),
        (Some("Http"), Some("api.example:8080"))
    );
    assert_eq!(
        (seen["path"].as_str(), seen["query"].as_str()),
        (Some("/echo/7/a/c~d"), Some("q=1&q=%20"))
    );
    assert_eq!(
        (seen["route"].as_str(), seen["attempt"].as_u64()),
        (Some("echo"), Some(1))
    );
    assert_eq!(seen["body_length"], 5);
    // Whom the gateway does not trust it does not believe.
    assert_eq!(
        (seen["peer"]["address"].as_str(), seen["peer"]["tls"].as_bool()),
        (Some("127.0.0.1"), Some(false))
    );
    let budget = seen["budget_ms"].as_u64().unwrap();
    assert!((1..=10_000).contains(&budget), "{budget}");
    assert_eq!(seen["parameters"], json!({ "id": "7", "rest": "a/c~d" }));
    let attributes = &seen["attributes"];
    assert_eq!(attributes["auth.principal"], "holder of alice");
    assert_eq!(attributes["auth.authorizer"], "decides");
    let names: Vec<_> = seen["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field[0].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"x-decision-number") && !names.contains(&"connection"),
        "{names:?}"
    );
}

#[test]
fn an_integration_sees_the_whole_body_up_to_its_limit() {
    let gateway = start();
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let answer = ask(&gateway, "POST", "/body", &[("content-type", "x/y")], &body);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("x/y")));
    assert!(answer.body == body);
    assert_eq!(ask(&gateway, "POST", "/small", &[], b"12345678").text(), "12345678");
    let refused = ask(&gateway, "POST", "/small", &[], b"123456789");
    assert_eq!((refused.status, refused.error()), (413, Some("REQUEST_TOO_LARGE")));
}

#[test]
fn a_transform_that_wants_the_body_gets_no_longer_one_than_it_may() {
    let origin = gatewright_tests::Origin::saying("a response of 24 bytes..");
    let config = [
        base(),
        super::setup::upstream(&origin),
        route("request", "{ plugin = \"rewrites\", body = \"30B\" }", "http = \"app\""),
        route(
            "response",
            "{ plugin = \"rewrites\", body = \"20B\" }",
            "http = \"app\"",
        ),
    ];
    let gateway = TestFiles::default().with_guests(&["rewrites"]).start(&config.concat());
    assert_eq!(ask(&gateway, "POST", "/request", &[], &[b'x'; 30]).status, 200);
    let too_long = ask(&gateway, "POST", "/request", &[], &[b'x'; 31]);
    assert_eq!((too_long.status, too_long.error()), (413, Some("REQUEST_TOO_LARGE")));
    assert_eq!(origin.hits(), 1);
    let too_long = ask(&gateway, "GET", "/response", &[], b"");
    assert_eq!((too_long.status, too_long.error()), (502, Some("INTEGRATION_FAILURE")));
}
