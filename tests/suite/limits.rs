//! C8, C11: what is too large is refused before an upstream hears of it, and how many may come at once.

use std::time::Duration;

use gatewright_tests::raw_client::request;
use gatewright_tests::{Origin, RawClient, TestGateway, eventually, http};

use crate::setup::{assert_serves, hello, hello_with, passing_with};

#[test]
fn c8_a_long_target_is_414() {
    let (gateway, origin) = hello();
    let response = http(
        gateway.addr("public"),
        "GET",
        &format!("/{}", "a".repeat(10_000)),
        &[],
        b"",
    );
    assert_eq!((response.status, response.error()), (414, Some("URI_TOO_LONG")));
    let response = http(
        gateway.addr("public"),
        "GET",
        &format!("/?{}", "a".repeat(10_000)),
        &[],
        b"",
    );
    assert_eq!(response.status, 414);
    let huge = http(
        gateway.addr("public"),
        "GET",
        &format!("/{}", "a".repeat(100_000)),
        &[],
        b"",
    );
    assert!(matches!(huge.status, 414 | 431), "{huge:?}");
    assert_eq!(origin.connections(), 0);
    let fits = http(
        gateway.addr("public"),
        "GET",
        &format!("/{}", "a".repeat(8_000)),
        &[],
        b"",
    );
    assert_eq!(fits.status, 200);
}

#[test]
fn c8_a_header_section_that_is_too_large_is_431() {
    let (gateway, origin) = hello();
    let value = "a".repeat(64 * 1024);
    let large = http(gateway.addr("public"), "GET", "/x", &[("X-Large", &value)], b"");
    assert_eq!(large.status, 431, "{large:?}");
    let value = "a".repeat(4 * 1024);
    let many = vec![("X-Part", value.as_str()); 9];
    let many = http(gateway.addr("public"), "GET", "/x", &many, b"");
    assert_eq!(many.status, 431, "{many:?}");
    assert_eq!(origin.connections(), 0);
    let value = "a".repeat(20 * 1024);
    let fits = http(gateway.addr("public"), "GET", "/x", &[("X-Large", &value)], b"");
    assert_eq!(fits.status, 200);
}

#[test]
fn c8_too_many_header_fields_are_431() {
    let (gateway, origin) = hello_with("limits = { header_count = 20 }");
    for count in [20, 21, 10_000] {
        let fields = vec![("a", "b"); count];
        // Host is one more.
        let response = http(gateway.addr("public"), "GET", "/x", &fields, b"");
        assert_eq!(response.status, 431, "{count}: {response:?}");
    }
    assert_eq!(origin.connections(), 0);
    assert_eq!(
        http(gateway.addr("public"), "GET", "/x", &[("a", "b"); 19], b"").status,
        200
    );
    let records = gateway.wait_for_records(4);
    assert_eq!(records.len(), 4);
    assert!(
        records[..3].iter().all(|record| record["error"] == "HEADERS_TOO_LARGE"),
        "{records:?}"
    );
}

#[test]
fn c8_an_endless_method_or_line_is_cut_off() {
    let (gateway, origin) = hello();
    for endless in [
        "A".repeat(1 << 20),
        format!("GET /{}", "a".repeat(1 << 20)),
        format!("GET /x HTTP/1.1\r\nX: {}", "a".repeat(1 << 20)),
    ] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(endless);
        let response = client.read_response();
        assert!(matches!(response.status, 400 | 414 | 431), "{response:?}");
        assert!(client.is_closed());
    }
    assert_eq!(origin.connections(), 0);
    assert_serves(&gateway);
}

fn small_bodies() -> (TestGateway, Origin) {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&passing_with(&origin.url(), "limits = { body = \"1KiB\" }", ""));
    (gateway, origin)
}

#[test]
fn c11_a_body_that_says_it_is_too_large_is_413_before_it_is_sent() {
    let (gateway, origin) = small_bodies();
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!(
            "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1025\r\n{expect}\r\n"
        ));
        let response = client.read_any_response();
        assert_eq!(
            (response.status, response.error()),
            (413, Some("REQUEST_TOO_LARGE")),
            "{expect:?}"
        );
        assert!(client.is_closed());
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c11_a_body_that_turns_out_too_large_is_413() {
    let (gateway, origin) = small_bodies();
    let chunk = format!("200\r\n{}\r\n", "a".repeat(0x200));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(chunk.repeat(3));
    let response = client.read_response();
    assert_eq!((response.status, response.error()), (413, Some("REQUEST_TOO_LARGE")));
    assert!(client.is_closed());
    eventually("the origin's request breaks off", || {
        let requests = origin.requests();
        requests
            .iter()
            .all(|request| !request.complete && request.body.len() <= 1024)
            .then_some(())
    });
    let fits = http(gateway.addr("public"), "POST", "/x", &[], &[b'a'; 1024]);
    assert_eq!(fits.status, 200);
}

#[test]
fn c11_a_body_that_was_asked_for_and_is_too_large_is_413() {
    let (gateway, origin) = small_bodies();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_any_response().status, 100);
    client.send(format!("401\r\n{}\r\n0\r\n\r\n", "a".repeat(0x401)));
    assert_eq!(client.read_any_response().status, 413);
    assert!(client.is_closed());
    eventually("the origin's request breaks off", || {
        origin.requests().iter().all(|request| !request.complete).then_some(())
    });
}

#[test]
fn c11_a_route_has_its_own_limit() {
    let origin = Origin::saying("hello");
    let listener = "limits = { body = \"1KiB\" }";
    let gateway = TestGateway::start(&passing_with(&origin.url(), listener, "body = \"4KiB\""));
    let addr = gateway.addr("public");
    assert_eq!(http(addr, "POST", "/", &[], &[b'a'; 2048]).status, 413);
    assert_eq!(http(addr, "POST", "/x", &[], &[b'a'; 2048]).status, 200);
    assert_eq!(http(addr, "POST", "/x", &[], &[b'a'; 4097]).status, 413);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn connections_above_the_limit_wait_for_their_turn() {
    let (gateway, _origin) = hello_with("limits = { connections = 2 }");
    let addr = gateway.addr("public");
    // Whichever worker the kernel gives them to.
    for _ in 0..8 {
        let mut first = RawClient::connect(addr);
        let mut second = RawClient::connect(addr);
        assert_eq!(first.request("GET", "/1", &[], b"").status, 200);
        assert_eq!(second.request("GET", "/2", &[], b"").status, 200);
        let mut third = RawClient::connect(addr);
        third.send(request("GET", "/3", &[], b""));
        assert!(third.is_silent_for(Duration::from_millis(30)));
        drop(first);
        assert_eq!(third.read_response().status, 200);
    }
}
