//! What a message keeps on its way through: bodies, trailers, fields, and answers without a body.

use std::time::Duration;

use gatewright_tests::{Origin, RawClient, TestGateway, empty, full, http, with_trailers};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;

use crate::setup::{hello, listening, passing};

#[test]
fn an_answer_to_head_has_the_fields_of_get_and_no_body() {
    let origin = Origin::start(|request| async move {
        let mut response = Response::new(full("hello"));
        if request.method() == http::Method::HEAD {
            *response.body_mut() = empty();
            response
                .headers_mut()
                .insert("content-length", HeaderValue::from_static("5"));
        }
        response
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..3 {
        let head = client.request("HEAD", "/x", &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
        let get = client.request("GET", "/x", &[], b"");
        assert_eq!((get.status, get.text().as_str()), (200, "hello"));
    }
    let records = gateway.wait_for_records(6);
    assert!(
        records.iter().all(|record| record["outcome"] == "answered"),
        "{records:?}"
    );
    assert_eq!(records[0]["response_bytes"], 0);
    assert_eq!(origin.connections(), 1, "a connection is fit for use after HEAD");
}

#[test]
fn a_refusal_of_head_has_no_body() {
    let gateway = TestGateway::start(&listening(
        "[[route]]\nname = \"x\"\npath = \"/x\"\nintegration = { respond = 200, body = \"text\" }\n",
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    let refusal = client.request("HEAD", "/y", &[], b"");
    assert_eq!((refusal.status, refusal.error()), (404, Some("RESOURCE_NOT_FOUND")));
    let answer = client.request("HEAD", "/x", &[], b"");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("4")));
    assert_eq!(client.request("GET", "/x", &[], b"").text(), "text");
}

#[test]
fn answers_that_have_no_body_leave_the_connection_in_step() {
    let origin = Origin::start(|request| async move {
        let mut response = Response::new(empty());
        match request.uri().path() {
            "/204" => *response.status_mut() = StatusCode::NO_CONTENT,
            "/304" => {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response.headers_mut().insert("etag", HeaderValue::from_static("\"1\""));
            }
            "/empty" => {}
            _ => *response.body_mut() = full("hello"),
        }
        response
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    for (path, status) in [("/204", 204), ("/304", 304), ("/empty", 200), ("/x", 200)] {
        let response = client.request("GET", path, &[], b"");
        assert_eq!(response.status, status);
        if status == 204 {
            assert!(response.header_values("content-length").is_empty(), "{response:?}");
            assert!(response.header_values("transfer-encoding").is_empty(), "{response:?}");
        }
        if status == 304 {
            assert_eq!(response.header("etag"), Some("\"1\""));
        }
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn trailers_go_both_ways_without_the_fields_that_must_not_be_among_them() {
    let origin = Origin::start(|request| async move {
        let _ = request.into_body().collect().await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        trailers.insert("content-length", HeaderValue::from_static("1"));
        trailers.insert("set-cookie", HeaderValue::from_static("a=b"));
        let mut response = Response::new(with_trailers("hello", trailers));
        let names = HeaderValue::from_static("x-sum, content-length, set-cookie");
        response.headers_mut().insert("trailer", names);
        response
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTrailer: x-check, authorization\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Check: 1\r\nAuthorization: forged\r\nHost: evil\r\n\r\n",
    );
    let response = client.read_response();
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(response.header("trailer"), Some("x-sum"));
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    let request = origin.only_request();
    assert_eq!(request.body, b"abc");
    assert_eq!(request.trailers.get("x-check").unwrap(), "1");
    assert_eq!(request.trailers.len(), 1, "{:?}", request.trailers);
}

#[test]
fn a_client_that_expects_100_gets_it_when_the_body_is_wanted() {
    let (gateway, origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    assert_eq!(client.read_any_response().status, 100);
    client.send("hello");
    assert_eq!(client.read_any_response().status, 200);
    assert_eq!(origin.only_request().body, b"hello");
}

#[test]
fn a_client_that_expects_100_gets_its_refusal_instead() {
    let gateway = TestGateway::start(&listening(
        "[[route]]\nname = \"x\"\npath = \"/x\"\nintegration = { respond = 200 }\n",
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /y HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_any_response().status, 404);
    // Whether the body comes or not is unknown, so this connection is of no more use (RFC 9110, section 10.1.1).
    assert!(client.is_closed());
}

#[test]
fn an_expectation_that_nobody_knows_is_417() {
    let (gateway, origin) = hello();
    let response = http(gateway.addr("public"), "POST", "/x", &[("Expect", "miracles")], b"a");
    assert_eq!((response.status, response.error()), (417, Some("EXPECTATION_FAILED")));
    assert_eq!(origin.connections(), 0);
}

#[test]
fn bodies_of_every_size_come_through_unchanged() {
    let origin = Origin::start(|request| async move {
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        Response::new(full(body.unwrap_or_default()))
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    for size in [0, 1, 1023, 65_536, 1_000_001] {
        let body: Vec<u8> = (0..size)
            .map(|index: u32| (index.wrapping_mul(31) >> 3) as u8)
            .collect();
        let echoed = client.request("POST", "/x", &[("Content-Type", "application/octet-stream")], &body);
        assert_eq!((echoed.status, echoed.body.len()), (200, body.len()));
        assert!(echoed.body == body, "a body of {size} bytes was changed");
    }
}

#[test]
fn a_get_with_a_body_keeps_it() {
    let (gateway, origin) = hello();
    let chunked = [("Transfer-Encoding", "chunked")];
    let response = http(
        gateway.addr("public"),
        "GET",
        "/x",
        &chunked,
        b"5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!(response.status, 200);
    assert_eq!(origin.only_request().body, b"hello");
}

#[test]
fn fields_come_through_as_they_are_and_cookies_stay_apart() {
    let origin = Origin::start(|_| async {
        let mut response = Response::new(full("hello"));
        let headers = response.headers_mut();
        for cookie in ["a=1; Path=/", "b=2, c; Path=/"] {
            headers.append("set-cookie", HeaderValue::from_static(cookie));
        }
        headers.insert("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.insert("server", HeaderValue::from_static("origin"));
        response
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let fields = [
        ("Accept", "a/b"),
        ("accept", "c/d"),
        ("X-Latin", "caf\u{e9}"),
        ("X-Empty", ""),
    ];
    let response = http(gateway.addr("public"), "GET", "/x", &fields, b"");
    assert_eq!(response.header_values("set-cookie"), ["a=1; Path=/", "b=2, c; Path=/"]);
    assert_eq!(response.header("x-latin"), Some("caf\u{e9}"));
    assert_eq!(response.header("server"), Some("origin"));
    let headers = origin.only_request().headers;
    let accepted: Vec<_> = headers.get_all("accept").iter().collect();
    assert_eq!(accepted, ["a/b", "c/d"]);
    assert_eq!(headers["x-latin"].as_bytes(), "caf\u{e9}".as_bytes());
    assert_eq!(headers["x-empty"], "");
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let origin = Origin::start(|_| async {
        let (sender, body) = gatewright_tests::channel();
        sender.send(Ok("hel".into())).unwrap();
        sender.send(Ok("lo".into())).unwrap();
        Response::new(body)
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let response = client.read_response();
    assert!(response.header_values("transfer-encoding").is_empty(), "{response:?}");
    assert_eq!(response.text(), "hello");
    assert!(client.is_closed());
}

#[test]
fn an_answer_is_passed_on_as_it_comes() {
    let (sender, body) = gatewright_tests::channel();
    let body = std::sync::Mutex::new(Some(body));
    let origin = Origin::start(move |_| {
        let body = body.lock().unwrap().take().unwrap_or_else(empty);
        async move { Response::new(body) }
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for piece in ["one", "two", "three"] {
        sender.send(Ok(piece.into())).unwrap();
        let mut got = String::new();
        while !got.contains(piece) {
            got.push_str(&String::from_utf8(client.read_some().unwrap()).unwrap());
        }
        assert!(client.is_silent_for(Duration::from_millis(20)));
    }
    drop(sender);
    assert_eq!(client.read_bytes(5), b"0\r\n\r\n");
}
