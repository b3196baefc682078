//! Exactly one access record for each request, whatever became of it, and numbers that agree with the records.

use gatewright_tests::{Origin, RawClient, TestGateway, eventually, http};
use serde_json::Value;

use crate::setup::{hello, routed};

#[test]
fn every_request_has_exactly_one_record_refused_or_not() {
    let (gateway, _origin) = hello();
    let addr = gateway.addr("public");
    let heads: [(&str, u16); 10] = [
        ("GET /1 HTTP/1.1\r\nHost: a", 200),
        ("GET /2 HTTP/1.1", 400),
        ("GET /3 HTTP/1.1\r\nHost : a", 400),
        ("GET /4 HTTP/1.1\r\nHost: a\r\nX-A: a\u{1}b", 400),
        ("no request", 400),
        ("GET /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip", 400),
        ("TRACE /6 HTTP/1.1\r\nHost: a", 501),
        ("GET /7 HTTP/1.1\r\nHost: a\r\nExpect: x", 417),
        ("GET /%zz HTTP/1.1\r\nHost: a", 400),
        ("GET /9 HTTP/9.9\r\nHost: a", 400),
    ];
    let mut told = Vec::new();
    for (head, status) in heads {
        let mut client = RawClient::connect(addr);
        client.send(format!("{head}\r\n\r\n"));
        let response = client.read_response();
        assert_eq!(response.status, status, "{head:?}");
        if status >= 400 {
            let id = response.header("x-request-id");
            told.push(id.unwrap_or_else(|| panic!("{head:?} has no id")).to_owned());
            assert!(response.error().is_some(), "{head:?}");
        }
    }
    // After one that was good, too.
    let mut client = RawClient::connect(addr);
    assert_eq!(client.request("GET", "/kept", &[], b"").status, 200);
    client.send("GET /<x> HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.read_response();
    assert_eq!(
        (response.status, response.json()["message"].as_str()),
        (400, Some("Bad Request"))
    );
    told.push(response.header("x-request-id").unwrap().to_owned());
    assert!(client.is_closed());
    http(addr, "GET", "/last", &[], b"");
    let records = gateway.wait_for_records(heads.len() + 3);
    assert_eq!(records.len(), heads.len() + 3);
    let statuses = |records: &[Value]| {
        let mut statuses: Vec<_> = records
            .iter()
            .map(|record| record["status"].as_u64().unwrap())
            .collect();
        statuses.sort_unstable();
        statuses
    };
    let mut expected: Vec<u64> = heads
        .iter()
        .map(|(_, status)| u64::from(*status))
        .chain([200, 200, 400])
        .collect();
    expected.sort_unstable();
    assert_eq!(statuses(&records), expected);
    assert_eq!(gateway.metric("gatewright_requests_total"), (heads.len() + 3) as f64);
    assert_eq!(gateway.metric("gatewright_requests_total{outcome=\"refused\"}"), 10.0);
    let mut ids: Vec<_> = records
        .iter()
        .map(|record| record["request_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), records.len(), "two requests have one id");
    for id in &told {
        assert!(
            ids.contains(&id.as_str()),
            "the client was told an id that no record has"
        );
    }
}

#[test]
fn a_record_says_who_asked_what_and_who_answered() {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&routed(
        &origin.url(),
        r#"
        [[route]]
        name = "users"
        path = "/users/{id}"
        integration = { http = "app" }
        "#,
    ));
    let fields = [("Host", "api.example:81")];
    http(gateway.addr("public"), "POST", "/users/7?token=secret", &fields, b"abc");
    let records = gateway.wait_for_records(1);
    let record = &records[0];
    for (field, value) in [
        ("listener", "public"),
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("host", "api.example:81"),
        ("path", "/users/7"),
        ("protocol", "HTTP/1.1"),
        ("route", "users"),
        ("outcome", "answered"),
        ("upstream", &origin.url()),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    assert_eq!(
        (record["request_bytes"].as_u64(), record["response_bytes"].as_u64()),
        (Some(3), Some(5))
    );
    assert!(
        record["duration_ms"].as_f64() >= record["upstream_ms"].as_f64(),
        "{record}"
    );
    assert!(!record.to_string().contains("secret"), "queries hold secrets");
}

#[test]
fn control_characters_of_a_client_do_not_reach_the_log_raw() {
    let (gateway, _origin) = hello();
    let fields = [("Host", "a\u{1b}[31m\u{9b}b")];
    http(gateway.addr("public"), "GET", "/x", &fields, b"");
    gateway.wait_for_records(1);
    let text = std::fs::read(gateway.dir().join("access.log")).unwrap();
    assert!(
        text.iter().all(|byte| *byte == b'\n' || *byte >= b' '),
        "{}",
        String::from_utf8_lossy(&text)
    );
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
}

/// A gateway that answers itself, and writes its records there.
fn logging_to(output: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [access_log]
        output = "file:{output}"

        [[route]]
        name = "here"
        path = "/"
        integration = {{ respond = 200 }}
        "#
    ))
}

#[test]
fn s11_a_log_on_a_full_disk_loses_records_and_no_request() {
    let gateway = logging_to("/dev/full");
    for _ in 0..3 {
        assert_eq!(http(gateway.addr("public"), "GET", "/", &[], b"").status, 200);
    }
    eventually("what is lost is counted", || {
        (gateway.metric("gatewright_access_log_dropped_total") >= 1.0).then_some(())
    });
}

#[test]
fn s11_a_log_that_nobody_reads_loses_records_and_holds_no_request_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    // Opened for both, so that nobody waits for anybody to open it.
    let _never_read = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let gateway = logging_to(path.to_str().unwrap());
    let mut client = RawClient::connect(gateway.addr("public"));
    let dropped = || gateway.metric("gatewright_access_log_dropped_total");
    // More than may wait, and than fit into what is between the gateway and nobody.
    for _ in 0..200 {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100));
        for _ in 0..100 {
            assert_eq!(client.read_response().status, 200);
        }
    }
    assert!(dropped() >= 1000.0, "{}", dropped());
}
