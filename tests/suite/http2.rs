//! HTTP/2, spoken as it should be: by prior knowledge, many streams at once, bodies and trailers both ways.

use std::time::Duration;

use gatewright_tests::frames::{END_HEADERS, END_STREAM, frame, frame_bytes, header_block};
use gatewright_tests::{
    H2Client, H2Frames, Origin, TestGateway, empty, eventually, full, http, runtime, with_trailers,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;

use crate::setup::{hello, hello_with, passing};

fn get(path: &str) -> Request<gatewright_tests::BoxBody> {
    Request::get(format!("http://localhost{path}")).body(empty()).unwrap()
}

#[test]
fn http_2_by_prior_knowledge_reaches_an_origin_of_http_1() {
    let (gateway, origin) = hello();
    let mut client = H2Client::connect(gateway.addr("public"));
    let response = client.send(get("/x?y=1")).unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"hello"[..]));
    for name in ["connection", "transfer-encoding", "keep-alive"] {
        assert!(!response.headers.contains_key(name), "{name} has no place in HTTP/2");
    }
    let request = origin.only_request();
    assert_eq!((request.target.as_str(), request.method.as_str()), ("/x?y=1", "GET"));
    assert_eq!(request.headers.get_all("host").iter().count(), 1);
    assert!(
        !request.headers.contains_key("transfer-encoding"),
        "{:?}",
        request.headers
    );
    assert_eq!(gateway.wait_for_records(1)[0]["protocol"], "HTTP/2");
}

#[test]
fn streams_of_one_connection_do_not_wait_for_each_other() {
    let origin = Origin::start(|request| async move {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Response::new(full(request.uri().path().to_owned()))
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let client = H2Client::connect(gateway.addr("public"));
    let order = runtime().block_on(async {
        let (mut slow, mut order) = (client.clone(), Vec::new());
        let mut slow = std::pin::pin!(slow.send_async(get("/slow")));
        for number in 0..20 {
            let mut fast = client.clone();
            let mut fast = std::pin::pin!(fast.send_async(get(&format!("/{number}"))));
            tokio::select! {
                biased;
                response = fast.as_mut() => order.push(response.unwrap().body),
                _ = slow.as_mut() => panic!("the slow one is first"),
            }
        }
        order.push(slow.await.unwrap().body);
        order
    });
    assert_eq!(order.len(), 21);
    assert_eq!(order[20], "/slow");
}

#[test]
fn bodies_and_trailers_go_both_ways() {
    let origin = Origin::start(|request| async move {
        let body = request.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        with_trailers_of(body.to_bytes(), trailers)
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    let large = vec![b'a'; 300_000];
    let request = Request::post("http://localhost/x")
        .header("te", "trailers")
        // HTTP/1 sends those fields only that were announced.
        .header("trailer", "x-sum")
        .body(with_trailers(large.clone(), trailers))
        .unwrap();
    let response = H2Client::connect(gateway.addr("public")).send(request).unwrap();
    assert!(response.body == large);
    assert_eq!(response.trailers.get("x-sum").unwrap(), "42");
    let recorded = origin.only_request();
    assert_eq!(recorded.headers["te"], "trailers");
    assert_eq!(recorded.headers["transfer-encoding"], "chunked");
}

fn with_trailers_of(body: bytes::Bytes, trailers: HeaderMap) -> Response<gatewright_tests::BoxBody> {
    let mut response = Response::new(with_trailers(body, trailers));
    response
        .headers_mut()
        .insert("trailer", HeaderValue::from_static("x-sum"));
    response
}

#[test]
fn a_body_of_known_length_keeps_it() {
    let (gateway, origin) = hello();
    let request = Request::post("http://localhost/x").body(full("hello")).unwrap();
    let response = H2Client::connect(gateway.addr("public")).send(request).unwrap();
    assert_eq!(response.headers["content-length"], "5");
    let recorded = origin.only_request();
    assert_eq!(recorded.headers["content-length"], "5");
    assert!(!recorded.headers.contains_key("transfer-encoding"));
}

#[test]
fn a_request_without_content_says_so_as_http_1_does_however_its_stream_ended() {
    let (gateway, origin) = hello();
    let addr = gateway.addr("public");
    let methods = ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH", "X-OTHER"];
    for method in methods {
        let fields = header_block(&[
            (":method", method),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/x"),
        ]);
        let begun = frame_bytes(frame::HEADERS, END_HEADERS, 1, &fields);
        let ended = frame_bytes(frame::HEADERS, END_HEADERS | END_STREAM, 1, &fields);
        let nothing = frame_bytes(frame::DATA, 0, 1, b"");
        let end = frame_bytes(frame::DATA, END_STREAM, 1, b"");
        let padded = frame_bytes(frame::DATA, END_STREAM | 0x8, 1, &[2, 0, 0]);
        for frames in [
            ended,
            [&begun[..], &end].concat(),
            [&begun[..], &padded].concat(),
            [&begun[..], &nothing, &end].concat(),
        ] {
            let mut client = H2Frames::connect(addr);
            assert!(client.try_send(&frames));
            assert_eq!(client.outcome(1).status(), Some(200), "{method}");
        }
        let response = http(addr, method, "/x", &[], b"");
        assert_eq!(response.status, 200);
    }
    for request in origin.requests() {
        let has_none = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "DELETE");
        let length = request
            .headers
            .get("content-length")
            .map(|length| length.to_str().unwrap());
        assert_eq!(length, (!has_none).then_some("0"), "{}", request.method);
        assert!(!request.headers.contains_key("transfer-encoding"), "{}", request.method);
        assert!(request.complete && request.body.is_empty());
    }
    assert_eq!(origin.hits(), 5 * methods.len());
}

#[test]
fn content_that_has_come_with_the_header_section_is_passed_on_whole() {
    let (gateway, origin) = hello();
    let fields = header_block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/x"),
        ("trailer", "x-sum"),
    ]);
    let frames = [
        frame_bytes(frame::HEADERS, END_HEADERS, 1, &fields),
        frame_bytes(frame::DATA, 0, 1, b""),
        frame_bytes(frame::DATA, 0, 1, b"first,"),
    ];
    let rest = [
        frame_bytes(frame::DATA, 0, 1, b"second"),
        frame_bytes(
            frame::HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &header_block(&[("x-sum", "2")]),
        ),
    ];
    for pause in [true, false] {
        let mut client = H2Frames::connect(gateway.addr("public"));
        if pause {
            assert!(client.try_send(&frames.concat()));
            eventually("it is on its way", || (origin.connections() == 1).then_some(()));
            assert!(client.try_send(&rest.concat()));
        } else {
            assert!(client.try_send(&[&frames[..], &rest].concat().concat()));
        }
        assert_eq!(client.outcome(1).status(), Some(200));
        let request = origin.requests().pop().unwrap();
        assert_eq!(&request.body[..], b"first,second");
        assert_eq!(request.headers["transfer-encoding"], "chunked");
        assert_eq!(request.trailers["x-sum"], "2");
    }
}

#[test]
fn head_refusals_and_limits_are_as_in_http_1() {
    let (gateway, origin) = hello_with("limits = { body = \"1KiB\", header_bytes = \"16KiB\", header_count = 20 }");
    let mut client = H2Client::connect(gateway.addr("public"));
    let head = Request::builder()
        .method(Method::HEAD)
        .uri("http://localhost/x")
        .body(empty())
        .unwrap();
    let head = client.send(head).unwrap();
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let large = Request::post("http://localhost/x")
        .body(full(vec![b'a'; 2048]))
        .unwrap();
    let large = client.send(large).unwrap();
    assert_eq!((large.status.as_u16(), large.error()), (413, Some("REQUEST_TOO_LARGE")));
    assert!(!large.headers.contains_key("connection"));
    let long = client.send(get(&format!("/{}", "a".repeat(9_000)))).unwrap();
    assert_eq!((long.status.as_u16(), long.error()), (414, Some("URI_TOO_LONG")));
    assert_eq!(origin.hits(), 1);
}

#[test]
fn c8_too_large_a_header_section_over_http_2_is_431_or_a_reset() {
    let (gateway, origin) = hello_with("limits = { header_bytes = \"16KiB\" }");
    let request = Request::get("http://localhost/x")
        .header("x-large", "a".repeat(20_000))
        .body(empty())
        .unwrap();
    let mut client = H2Client::connect(gateway.addr("public"));
    let answer = client.send(request);
    assert!(
        answer.as_ref().map_or(true, |answer| answer.status == 431),
        "{answer:?}"
    );
    assert_eq!(origin.connections(), 0);
    assert_eq!(
        H2Client::connect(gateway.addr("public"))
            .send(get("/x"))
            .unwrap()
            .status,
        200
    );
}

#[test]
fn c8_too_many_header_fields_over_http_2_are_431_or_a_reset() {
    let (gateway, origin) = hello_with("limits = { header_count = 20 }");
    let mut request = get("/x");
    for _ in 0..30 {
        request.headers_mut().append("a", HeaderValue::from_static("b"));
    }
    let mut client = H2Client::connect(gateway.addr("public"));
    let answer = client.send(request);
    assert!(
        answer.as_ref().map_or(true, |answer| answer.status == 431),
        "{answer:?}"
    );
    assert_eq!(origin.connections(), 0);
}
