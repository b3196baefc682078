//! C13: requests on one connection, one after the other, and what happens to those around a bad one.

use gatewright_tests::raw_client::request;
use gatewright_tests::{Origin, RawClient, TestGateway, full};
use http::Response;

use crate::setup::{hello, passing, routed};

#[test]
fn c13_a_hundred_pipelined_requests_are_answered_in_order() {
    let origin = Origin::start(|request| async move { Response::new(full(request.uri().path().to_owned())) });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    let all: Vec<u8> = (0..100)
        .flat_map(|number| match number % 3 {
            0 => request("GET", &format!("/{number}"), &[], b""),
            1 => request("POST", &format!("/{number}"), &[], b"GET /body HTTP/1.1\r\n\r\n"),
            _ => request(
                "POST",
                &format!("/{number}"),
                &[("Transfer-Encoding", "chunked")],
                b"2\r\nab\r\n0\r\n\r\n",
            ),
        })
        .collect();
    client.send(all);
    for number in 0..100 {
        let response = client.read_response();
        assert_eq!((response.status, response.text()), (200, format!("/{number}")));
    }
    assert_eq!(gateway.wait_for_records(100).len(), 100);
    assert!(
        client.request("GET", "/again", &[], b"").status == 200,
        "the connection stays open"
    );
}

#[test]
fn c13_requests_before_a_bad_one_are_answered_and_none_after_it() {
    for bad in [
        "GET /bad HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
        "POST /bad HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /bad HTTP/1.1\nHost: localhost\r\n\r\n",
        "no HTTP at all\r\n\r\n",
    ] {
        let (gateway, origin) = hello();
        let mut client = RawClient::connect(gateway.addr("public"));
        let good = request("GET", "/good", &[], b"").repeat(3);
        let after = request("GET", "/after", &[], b"");
        client.send([good.as_slice(), bad.as_bytes(), &after].concat());
        for _ in 0..3 {
            assert_eq!(client.read_response().status, 200, "{bad:?}");
        }
        assert_eq!(client.read_response().status, 400, "{bad:?}");
        assert!(client.is_closed(), "{bad:?}");
        let targets: Vec<_> = origin.requests().into_iter().map(|request| request.target).collect();
        assert_eq!(targets, ["/good"; 3], "{bad:?}");
        let statuses: Vec<_> = gateway
            .wait_for_records(4)
            .iter()
            .map(|record| record["status"].as_u64())
            .collect();
        assert_eq!(statuses, [Some(200), Some(200), Some(200), Some(400)], "{bad:?}");
    }
}

#[test]
fn a_connection_is_kept_or_closed_as_the_client_says() {
    let (gateway, _origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..3 {
        assert!(!client.request("GET", "/x", &[], b"").closes());
    }
    assert!(client.request("GET", "/x", &[("Connection", "close")], b"").closes());
    assert!(client.is_closed());

    let mut old = RawClient::connect(gateway.addr("public"));
    old.send("GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(old.read_response().text(), "hello");
    assert!(old.is_closed(), "HTTP/1.0 closes unless asked not to");
}

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    let (gateway, origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("\r\n\r\n");
    assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn a_refusal_that_is_not_about_framing_leaves_the_connection_usable() {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&routed(
        &origin.url(),
        r#"
        [[route]]
        name = "x"
        path = "/x"
        methods = ["GET"]
        integration = { http = "app" }
        "#,
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    assert_eq!(client.request("GET", "/y", &[], b"").status, 404);
    assert_eq!(client.request("POST", "/x", &[], b"body").status, 405);
    assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
}
