//! C1, C2, C3, C5: a message has one length and one shape, or it is refused. What two servers could read differently is
//! how requests are smuggled.

use gatewright_tests::{H2Client, H2Frames, RawClient, empty, eventually, http};
use http::Request;

use crate::setup::{assert_refused, assert_serves, hello, hello_with};

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /x HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{body}").into_bytes()
}

#[test]
fn c1_a_length_that_is_not_one_plain_number_is_400_and_nothing_is_forwarded() {
    let (gateway, origin) = hello();
    let smuggled = "hello\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5,5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length:  0x5",
        "Content-Length: 5 5",
        "Content-Length: 5_0",
        "Content-Length: 05",
        "Content-Length: 0000000005",
        "Content-Length: 5.0",
        "Content-Length: \u{0b}5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length: 18446744073709551616",
    ] {
        assert_refused(&gateway, &post(fields, smuggled), &[400]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c2_a_transfer_coding_other_than_exactly_chunked_is_400_or_501() {
    let (gateway, origin) = hello();
    for coding in [
        "xchunked",
        "chunked, chunked",
        "chunked;a",
        "chunked ;a=1",
        ",chunked",
        "chunked,",
        "gzip, chunked",
        "chunked, identity",
        "identity",
        "\u{0b}chunked",
        "\u{0c}chunked",
        "chunked\u{0b}",
        "chu\tnked",
        "\"chunked\"",
        "",
    ] {
        let fields = format!("Transfer-Encoding: {coding}");
        assert_refused(&gateway, &post(&fields, "0\r\n\r\n"), &[400, 501]);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    assert_refused(&gateway, &post(twice, "0\r\n\r\n"), &[400, 501]);
    let folded = "Transfer-Encoding:\r\n chunked";
    assert_refused(&gateway, &post(folded, "0\r\n\r\n"), &[400, 501]);
    let old = b"POST /x HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_refused(&gateway, old, &[400, 501]);
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c2_white_space_around_chunked_is_just_white_space() {
    let (gateway, origin) = hello();
    for fields in [
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked \t",
        "tRANSFER-eNCODING:CHUNKED",
    ] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(post(fields, "3\r\nabc\r\n0\r\n\r\n"));
        assert_eq!(client.read_response().status, 200, "{fields:?}");
    }
    let requests = origin.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.body, b"abc");
        assert_eq!(request.headers["transfer-encoding"], "chunked");
    }
}

#[test]
fn c3_a_malformed_chunk_is_400_and_its_upstream_connection_is_not_used_again() {
    let (gateway, origin) = hello();
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "e".repeat(5000));
    let bodies = [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "5\r\nhello\r\n0\r\nA : b\r\n\r\n",
        long.as_str(),
    ];
    for body in bodies {
        assert_refused(&gateway, &post("Transfer-Encoding: chunked", body), &[400]);
    }
    assert_serves(&gateway);
    let requests = origin.requests();
    let complete: Vec<_> = requests.iter().filter(|request| request.complete).collect();
    assert_eq!(complete.len(), 1, "{complete:?}");
    assert_eq!(complete[0].target, "/after");
    assert_eq!(
        origin.connections(),
        requests.len(),
        "a connection with half a request was used again"
    );
    let records = gateway.wait_for_records(bodies.len() + 1);
    assert_eq!(records.len(), bodies.len() + 1);
    for record in &records[..bodies.len()] {
        assert_eq!(
            (record["status"].as_u64(), record["error"].as_str()),
            (Some(400), Some("BAD_REQUEST"))
        );
    }
}

#[test]
fn c3_a_chunked_body_reaches_the_origin_as_it_was_meant() {
    let (gateway, origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(post(
        "Transfer-Encoding: chunked",
        "5;name=\"v;\";x\r\nhello\r\n00A\r\n0123456789\r\n000\r\n\r\n",
    ));
    assert_eq!(client.read_response().status, 200);
    assert_eq!(origin.only_request().body, b"hello0123456789");
}

#[test]
fn c3_a_body_that_breaks_off_never_looks_complete_to_the_origin() {
    let (gateway, origin) = hello();
    for (fields, body) in [
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nhel"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
        ("Content-Length: 10", "hello"),
    ] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(post(fields, body));
        client.finish_sending();
        let response = client.try_read_response();
        assert!(
            response.as_ref().map_or(true, |response| response.status == 400),
            "{fields:?} {body:?}: {response:?}"
        );
    }
    gateway.wait_for_records(4);
    eventually("the origin sees four requests break off", || {
        let requests = origin.requests();
        (requests.len() == 4 && requests.iter().all(|request| !request.complete)).then_some(())
    });
}

#[test]
fn c5_fields_that_are_not_a_name_a_colon_and_a_value_are_400() {
    let (gateway, origin) = hello();
    for field in [
        "X-A: 1\r\n folded",
        "X-A: 1\r\n\tfolded",
        "X-A : 1",
        "X-A\t: 1",
        " X-A: 1",
        ": 1",
        "X-A",
        "X A: 1",
        "X(A): 1",
        "X-\u{e9}: 1",
        "X-\u{01}: 1",
        "X-A: a\0b",
        "X-A: a\rb",
        "X-A: a\nX-B: b",
        "X-A: a\u{01}b",
        "X-A: a\u{7f}b",
    ] {
        let bytes = format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n");
        assert_refused(&gateway, bytes.as_bytes(), &[400]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c5_lines_that_end_in_a_bare_lf_are_400() {
    let (gateway, origin) = hello();
    for bytes in [
        "GET /x HTTP/1.1\nHost: localhost\n\n",
        "GET /x HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\r\n\n",
    ] {
        assert_refused(&gateway, bytes.as_bytes(), &[400]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_start_line_that_is_not_http_1_is_400() {
    let (gateway, origin) = hello();
    for line in [
        "GET /x",
        "GET  /x HTTP/1.1",
        "GET /x HTTP/1.1 ",
        "GET /x y HTTP/1.1",
        "GET\t/x\tHTTP/1.1",
        "GET /x HTTP/1.2",
        "GET /x HTTP/2.0",
        "GET /x HTTP/3.0",
        "GET /x HTTP/11",
        "GET /x http/1.1",
        "G@T(/x HTTP/1.1",
        "/x HTTP/1.1",
        "GET x HTTP/1.1",
        "\u{0}GET /x HTTP/1.1",
    ] {
        let bytes = format!("{line}\r\nHost: localhost\r\n\r\n");
        assert_refused(&gateway, bytes.as_bytes(), &[400, 505]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn tunnels_and_traces_are_not_served_nor_the_asterisk_with_another_method_than_options() {
    let (gateway, origin) = hello();
    assert_refused(
        &gateway,
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        &[501],
    );
    assert_refused(&gateway, b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[501]);
    for method in ["GET", "POST", "PUT"] {
        let request = format!("{method} * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_refused(&gateway, request.as_bytes(), &[400]);
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_refusal_says_what_it_is_and_nothing_of_the_inside() {
    let (gateway, _origin) = hello();
    let response = http(
        gateway.addr("public"),
        "GET",
        "/x",
        &[("Content-Length", "1"), ("Content-Length", "1")],
        b"a",
    );
    assert_eq!(response.status, 400);
    assert_eq!(response.error(), Some("BAD_REQUEST"));
    assert!(response.header("x-request-id").is_some());
    assert_eq!(response.json()["message"], "Bad Request");
    let records = gateway.wait_for_records(1);
    assert_eq!(records[0]["request_id"].as_str(), response.header("x-request-id"));
    assert_eq!(records[0]["cause"], "repeated Content-Length");
}

#[test]
fn fields_with_an_underscore_are_refused_dropped_or_accepted_as_the_listener_says() {
    for (listener, status, seen) in [
        ("", 400, None),
        ("underscores = \"refuse\"", 400, None),
        ("underscores = \"drop\"", 200, Some(false)),
        ("underscores = \"accept\"", 200, Some(true)),
    ] {
        let (gateway, origin) = hello_with(listener);
        let fields = [
            ("x_user", "eve"),
            ("x_user", "bob"),
            ("x-other", "1"),
            ("content_length", "5"),
        ];
        let response = http(gateway.addr("public"), "GET", "/x", &fields, b"");
        assert_eq!(response.status, status, "{listener}");
        let requests = origin.requests();
        let passed_on = requests.first().map(|request| {
            assert!(request.headers.contains_key("x-other"));
            assert_eq!(
                request.headers.contains_key("x_user"),
                request.headers.contains_key("content_length")
            );
            request.headers.contains_key("x_user")
        });
        assert_eq!(passed_on, seen, "{listener}");
        let mut http2 = H2Client::connect(gateway.addr("public"));
        let request = Request::get("http://localhost/y")
            .header("x_user", "eve")
            .body(empty())
            .unwrap();
        assert_eq!(http2.send(request).unwrap().status, status, "{listener}");
    }
}

#[test]
fn options_of_the_asterisk_asks_the_gateway_itself() {
    let (gateway, origin) = hello();
    let addr = gateway.addr("public");
    let mut client = RawClient::connect(addr);
    for _ in 0..2 {
        let response = client.request("OPTIONS", "*", &[], b"");
        assert_eq!((response.status, response.header("content-length")), (200, Some("0")));
        let allow = response.header("allow").unwrap();
        assert!(allow.contains("GET") && !allow.contains("TRACE"), "{allow}");
    }
    let fields = [
        (":method", "OPTIONS"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "*"),
    ];
    let outcome = H2Frames::connect(addr).headers(1, &fields, true).outcome(1);
    assert_eq!(outcome.status(), Some(200));
    assert_refused(&gateway, b"OPTIONS * HTTP/1.1\r\n\r\n", &[400]);
    assert_refused(&gateway, b"OPTIONS *?a HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]);
    assert_eq!(origin.connections(), 0);
    let records = gateway.wait_for_records(5);
    assert!(
        records[..3]
            .iter()
            .all(|record| record["outcome"] == "answered" && record["route"].is_null()),
        "{records:?}"
    );
}

#[test]
fn an_upgrade_to_another_protocol_is_501_and_one_to_http_is_passed_over() {
    let (gateway, origin) = hello();
    for upgrade in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket",
        "Connection: upgrade\r\nUpgrade: h2c, websocket",
        "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
        "Upgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1",
        "Connection: Upgrade\r\nUpgrade: tcp",
    ] {
        let request = format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n\r\n");
        assert_refused(&gateway, request.as_bytes(), &[501]);
    }
    assert_eq!(origin.connections(), 0);
    let records = gateway.wait_for_records(7);
    assert!(
        records
            .iter()
            .all(|record| record["cause"] == "an upgrade to another protocol"),
        "{records:?}"
    );
    // As curl asks with `--http2`: whoever offers this goes on without it.
    let offer = [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &offer, b"").status, 200);
    assert!(!origin.only_request().headers.contains_key("upgrade"));
}

#[test]
fn the_record_of_a_refusal_before_routing_says_why() {
    let (gateway, _origin) = hello_with(
        "trusted_proxies = [\"127.0.0.1\"]\nlimits = { header_count = 10, uri_bytes = \"64B\", body = \"8B\" }",
    );
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(11));
    let requests = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: a b\r\n\r\n",
        "GET /%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../.. HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nA_b: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123456789",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "NONSENSE\r\n\r\n",
        &long,
        &many,
    ];
    for request in requests {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(request);
        let status = client.read_response().status;
        assert!(status >= 400, "{request:?}: {status}");
    }
    for record in gateway.wait_for_records(requests.len()) {
        assert!(
            record["cause"].as_str().is_some_and(|cause| cause.len() > 5),
            "{record}"
        );
    }
}
