//! The `validate` stage end to end: what is not as the route asks for does not reach the upstream, and the client learns what
//! to change.

use std::time::{Duration, Instant};

use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, http};
use serde_json::json;

use crate::setup::routed;

fn config(origin: &Origin, rules: &str) -> String {
    routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"it\"\npath = \"/{{id}}\"\nchain = [{{ use = \"validate\", {rules} }}]\n\
             integration = {{ http = \"app\" }}\n"
        ),
    )
}

fn post(gateway: &TestGateway, content_type: &str, body: &[u8]) -> RawResponse {
    let fields = [("content-type", content_type)];
    http(gateway.addr("public"), "POST", "/1", &fields, body)
}

const ORDER: &str = r#"schema = { type = "object", required = ["item"], properties = { item = { type = "string", format = "uuid" }, count = { type = "integer", minimum = 1 } }, additionalProperties = false }"#;

#[test]
fn a_body_that_keeps_the_schema_goes_on_byte_by_byte_and_others_are_refused_with_what_is_wrong() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&config(&origin, ORDER));
    let good = b" { \"count\" : 2 ,\n\"item\":\"0195c4f2-7d7a-7c9e-8a53-1f0d7b1f2f11\"} ";
    assert_eq!(post(&gateway, "application/json; charset=utf-8", good).status, 200);
    assert_eq!(post(&gateway, "application/vnd.order+json", good).status, 200);
    assert_eq!(origin.requests()[0].body, good);
    let bad = post(
        &gateway,
        "application/json",
        br#"{"item":"hunter2","count":0,"extra":1}"#,
    );
    assert_eq!((bad.status, bad.error()), (400, Some("BAD_REQUEST_BODY")));
    let said = bad.json();
    assert_eq!(said["message"], "Invalid request body");
    let failures = said["errors"].as_array().unwrap();
    let at: Vec<_> = failures.iter().map(|failure| failure["at"].as_str().unwrap()).collect();
    assert_eq!(failures.len(), 3, "{said}");
    assert!(
        at.contains(&"/item") && at.contains(&"/count") && at.contains(&""),
        "{said}"
    );
    assert!(!bad.text().contains("hunter2"), "{said}");
    let records = gateway.wait_for_records(3);
    assert!(
        !records[2]["cause"].as_str().unwrap().contains("hunter2"),
        "{}",
        records[2]
    );
    assert_eq!(post(&gateway, "application/json", b"").status, 400);
    assert_eq!(origin.hits(), 2);
}

#[test]
fn what_a_client_is_told_is_bounded() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&config(&origin, "schema = { items = { type = \"string\" } }"));
    let numbers: Vec<_> = (0..1000).collect();
    let bad = post(&gateway, "application/json", json!(numbers).to_string().as_bytes());
    assert_eq!(bad.json()["errors"].as_array().unwrap().len(), 16);
    let gateway = TestGateway::start(&config(&origin, "schema = { additionalProperties = false }"));
    let long = json!({ "k".repeat(100_000): 1 });
    let bad = post(&gateway, "application/json", long.to_string().as_bytes());
    assert!(bad.status == 400 && bad.body.len() < 1000, "{}", bad.body.len());
}

#[test]
fn content_types_codings_and_sizes_are_those_that_the_route_takes() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&config(&origin, "schema = {}, body = \"1KiB\""));
    for content_type in [
        "text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=\"iso-8859-1\"",
    ] {
        let refused = post(&gateway, content_type, b"{}");
        assert_eq!(
            (refused.status, refused.error()),
            (415, Some("UNSUPPORTED_MEDIA_TYPE")),
            "{content_type}"
        );
    }
    let fields = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(http(gateway.addr("public"), "POST", "/1", &fields, b"x").status, 415);
    assert_eq!(http(gateway.addr("public"), "POST", "/1", &[], b"{}").status, 415);
    let long = format!("[{}]", " ".repeat(2000));
    assert_eq!(post(&gateway, "application/json", long.as_bytes()).status, 413);
    let gateway = TestGateway::start(&config(&origin, "types = [\"image/*\"]"));
    assert_eq!(post(&gateway, "image/png", b"x").status, 200);
    assert_eq!(post(&gateway, "text/html", b"x").status, 415);
    let gateway = TestGateway::start(&config(&origin, "schema = {}, optional = true"));
    assert_eq!(http(gateway.addr("public"), "GET", "/1", &[], b"").status, 200);
}

#[test]
fn parameters_are_read_as_their_schema_says() {
    let origin = Origin::saying("ok");
    let rules = r#"
        path = { id = { schema = { type = "integer" } } },
        query = { page = { schema = { type = "integer", minimum = 1 } }, tag = { schema = { type = "array", items = { type = "string", maxLength = 2 }, maxItems = 2 } }, on = { schema = { type = "boolean" } }, q = { required = true } },
        headers = { X-Tenant = { required = true, schema = { enum = ["a", "b"] } } }"#
        .replace('\n', " ");
    let gateway = TestGateway::start(&config(&origin, &rules));
    let get = |target: &str, fields: &[(&str, &str)]| http(gateway.addr("public"), "GET", target, fields, b"");
    let tenant = [("x-tenant", "a")];
    for target in ["/7?q", "/7?q=1&page=2&on=true&tag=a%41&tag=b", "/-7?q=x&%70age=3"] {
        assert_eq!(get(target, &tenant).status, 200, "{target}");
    }
    for (target, fields, message) in [
        ("/x?q", &tenant[..], "Invalid request parameters: [path.id]"),
        ("/7?q&page=0", &tenant, "Invalid request parameters: [query.page]"),
        ("/7?q&page=1.5", &tenant, "Invalid request parameters: [query.page]"),
        (
            "/7?q&page=1&page=2",
            &tenant,
            "Invalid request parameters: [query.page]",
        ),
        ("/7?q&tag=abc", &tenant, "Invalid request parameters: [query.tag/0]"),
        ("/7?q&on=yes", &tenant, "Invalid request parameters: [query.on]"),
        (
            "/7?q",
            &[("x-tenant", "c")],
            "Invalid request parameters: [header.x-tenant]",
        ),
        ("/7?page=0", &[], "Missing required request parameters: [q, x-tenant]"),
    ] {
        let refused = get(target, fields);
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST_PARAMETERS")),
            "{target}"
        );
        assert_eq!(refused.json()["message"], message, "{target}");
    }
}

#[test]
fn c21_json_that_parsers_read_differently_is_refused() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&config(&origin, "schema = {}"));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    let bodies: [&[u8]; 10] = [
        deep.as_bytes(),
        objects.as_bytes(),
        br#"{"a":1,"a":2}"#,
        b"[1e999]",
        br#"["\ud800"]"#,
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"[\"\xff\"]",
        b"{} {}",
        b"{'a':1}",
    ];
    for body in bodies {
        let refused = post(&gateway, "application/json", body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(20)]);
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST_BODY")),
            "{shown}"
        );
    }
    assert_eq!(origin.hits(), 0);
}

#[test]
fn c23_a_pattern_takes_time_in_the_length_of_the_text_and_no_more() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&config(&origin, "schema = { items = { pattern = \"^(a+)+$\" } }"));
    let hostile = json!(["a".repeat(500_000) + "!"]).to_string();
    let start = Instant::now();
    assert_eq!(post(&gateway, "application/json", hostile.as_bytes()).status, 400);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // What needs an engine that backtracks is refused when it is loaded.
    let refused = TestGateway::try_start(&config(&origin, "schema = { pattern = \"(a)\\\\1\" }"));
    let refused = refused.err().unwrap();
    assert!(
        refused.contains("gateway.toml") && refused.contains("schema"),
        "{refused}"
    );
}

#[test]
fn a_schema_file_is_read_and_read_again_when_it_changes() {
    let origin = Origin::saying("ok");
    let gateway = TestFiles::default()
        .with("order.json", r#"{ "type": "object" }"#)
        .start(&config(&origin, "schema_file = \"order.json\""));
    assert_eq!(post(&gateway, "application/json", b"{}").status, 200);
    assert_eq!(post(&gateway, "application/json", b"[]").status, 400);
    gateway.write("order.json", r#"{ "type": "array" }"#);
    gatewright_tests::eventually("the new schema", || {
        (post(&gateway, "application/json", b"[]").status == 200).then_some(())
    });
    gateway.write("order.json", r#"{ "type": 1 }"#);
    let refused = gateway.reload().unwrap_err();
    assert!(refused.contains("order.json"), "{refused}");
    assert_eq!(post(&gateway, "application/json", b"[]").status, 200);
}

#[test]
fn a_parameter_is_what_one_of_the_types_of_its_schema_makes_of_it() {
    let origin = Origin::saying("ok");
    let rules = r#"query = { page = { schema = { type = ["integer", "null"] } }, size = { schema = { anyOf = [{ type = "integer", maximum = 10 }, { const = "all" }] } }, level = { schema = { enum = [1, 2, "high"] } }, id = { schema = { type = "array", items = { type = ["integer", "boolean"] } } } }"#;
    let gateway = TestGateway::start(&config(&origin, rules));
    let get = |target: &str| http(gateway.addr("public"), "GET", target, &[], b"").status;
    for target in [
        "/1?page=7&size=10&level=2",
        "/1?page=&size=all&level=high",
        "/1?page=null",
        "/1?id=1&id=true",
    ] {
        assert_eq!(get(target), 200, "{target}");
    }
    for target in [
        "/1?page=x",
        "/1?page=1.5",
        "/1?size=11",
        "/1?size=none",
        "/1?level=3",
        "/1?id=1&id=x",
        "/1?page=1&page=2",
    ] {
        assert_eq!(get(target), 400, "{target}");
    }
}

#[test]
fn a_number_between_two_doubles_is_judged_by_both_and_goes_on_as_it_came() {
    let origin = Origin::saying("ok");
    let schema = r#"schema = { type = "object", properties = { n = { type = "number", maximum = 100 }, i = { type = "integer" } } }"#;
    let gateway = TestGateway::start(&config(&origin, schema));
    let good = b"{\"n\":3.14159265358979323846,\"i\":18446744073709551616}";
    assert_eq!(post(&gateway, "application/json", good).status, 200);
    assert_eq!(origin.only_request().body, good);
    for bad in ["{\"n\":100.00000000000000000001}", "{\"i\":1.0000000000000000000001}"] {
        assert_eq!(post(&gateway, "application/json", bad.as_bytes()).status, 400, "{bad}");
    }
}
