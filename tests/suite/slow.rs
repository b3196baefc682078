//! C9, C10: a client that takes its time gets so much of it, and others do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_tests::{H2Client, Origin, RawClient, RawOrigin, TestGateway, channel, eventually, http, runtime};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::setup::{assert_serves, hello_with, passing_with, routed};

/// Far beyond the limits that these tests set, and far below the defaults.
const SOON: Duration = Duration::from_secs(4);

#[test]
fn c9_a_header_section_that_comes_too_slowly_ends_the_connection() {
    let (gateway, origin) = hello_with("limits = { header_timeout = \"300ms\" }");
    let started = Instant::now();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n");
    // Each byte comes in time; the whole does not.
    let mut broken = false;
    for _ in 0..200 {
        if client.try_send("x").is_err() || !client.is_silent_for(Duration::from_millis(20)) {
            broken = true;
            break;
        }
    }
    assert!(broken, "the connection is still open after {:?}", started.elapsed());
    assert!(started.elapsed() >= Duration::from_millis(290) && started.elapsed() < SOON);
    assert_eq!(origin.connections(), 0);
    assert_serves(&gateway);
}

#[test]
fn c9_a_second_header_section_has_the_same_time() {
    let (gateway, _origin) = hello_with("limits = { header_timeout = \"300ms\" }");
    let mut client = RawClient::connect(gateway.addr("public"));
    assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    let started = Instant::now();
    client.send("GET /y HTT");
    let rest = client.read_to_end(SOON);
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
    assert!(started.elapsed() >= Duration::from_millis(290) && started.elapsed() < SOON);
}

#[test]
fn c9_a_body_that_stops_coming_is_408() {
    let (gateway, origin) = hello_with("limits = { body_timeout = \"300ms\" }");
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello");
    let response = client.read_response();
    assert_eq!((response.status, response.error()), (408, Some("REQUEST_TIMEOUT")));
    assert!(client.is_closed());
    eventually("the origin's request breaks off", || {
        origin.requests().iter().all(|request| !request.complete).then_some(())
    });
    let records = gateway.wait_for_records(1);
    assert_eq!(
        (records[0]["status"].as_u64(), records[0]["request_bytes"].as_u64()),
        (Some(408), Some(5))
    );
}

#[test]
fn c9_a_body_with_pauses_below_the_limit_takes_as_long_as_it_likes() {
    let (gateway, origin) = hello_with("limits = { body_timeout = \"400ms\" }");
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n");
    for _ in 0..8 {
        assert!(client.is_silent_for(Duration::from_millis(100)));
        client.send("x");
    }
    assert_eq!(client.read_response().status, 200);
    assert_eq!(origin.only_request().body, b"xxxxxxxx");
}

/// An origin whose answer is 1 GiB, and how many bytes of it have been asked for.
fn endless_origin() -> (Origin, Arc<AtomicUsize>) {
    const PIECE: usize = 64 * 1024;
    let made = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&made);
    let origin = Origin::start(move |_| {
        let counter = Arc::clone(&counter);
        let pieces = std::iter::repeat_with(move || {
            counter.fetch_add(PIECE, Ordering::SeqCst);
            Ok(Frame::data(Bytes::from_static(&[b'a'; PIECE])))
        });
        let body = StreamBody::new(futures_util::stream::iter(pieces.take((1 << 30) / PIECE)));
        async move { Response::new(BodyExt::boxed(body)) }
    });
    (origin, made)
}

#[test]
fn c9_a_reader_that_stops_reading_stops_the_upstream_and_is_cut_off() {
    let (origin, made) = endless_origin();
    let listener = "limits = { body_timeout = \"300ms\" }";
    let gateway = TestGateway::start(&passing_with(&origin.url(), listener, ""));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let records = gateway.wait_for_records(1);
    assert_eq!(records[0]["status"], 499, "{records:?}");
    // What the kernel's buffers of two connections hold, and no more.
    let asked_for = made.load(Ordering::SeqCst);
    assert!(
        asked_for < 64 << 20,
        "{asked_for} bytes were read for a client that reads none"
    );
}

#[test]
fn c9_one_slow_client_does_not_slow_the_others() {
    let (gateway, _origin) = hello_with("");
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut client = RawClient::connect(gateway.addr("public"));
            client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhel");
            client
        })
        .collect();
    for _ in 0..20 {
        let started = Instant::now();
        assert_serves(&gateway);
        assert!(started.elapsed() < Duration::from_secs(1));
    }
    drop(slow);
}

#[test]
fn c10_a_connection_without_a_request_is_closed() {
    let (gateway, origin) = hello_with("limits = { idle_timeout = \"300ms\" }");
    let addr = gateway.addr("public");
    let started = Instant::now();
    let mut silent: Vec<_> = (0..10).map(|_| RawClient::connect(addr)).collect();
    let mut begun = RawClient::connect(addr);
    begun.send("P");
    silent.push(begun);
    for client in &mut silent {
        assert!(client.is_closed());
    }
    assert!(started.elapsed() >= Duration::from_millis(250) && started.elapsed() < SOON);
    assert_eq!(origin.connections(), 0);
    assert!(
        gateway.access_log().is_empty(),
        "nothing was asked, so there is nothing to record"
    );
}

#[test]
fn c10_a_connection_is_closed_when_it_is_idle_and_not_while_it_is_used() {
    let (gateway, _origin) = hello_with("limits = { idle_timeout = \"400ms\" }");
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..6 {
        assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
        assert!(client.is_silent_for(Duration::from_millis(100)));
    }
    let started = Instant::now();
    assert!(client.is_closed());
    assert!(started.elapsed() < SOON);
}

#[test]
fn c10_an_exchange_that_takes_long_is_not_idle() {
    let origin = Origin::start(|_| async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Response::new(gatewright_tests::full("late"))
    });
    let listener = "limits = { idle_timeout = \"200ms\", header_timeout = \"200ms\" }";
    let gateway = TestGateway::start(&passing_with(&origin.url(), listener, ""));
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").text(), "late");
}

#[test]
fn c10_a_client_that_closes_its_side_still_gets_its_answer() {
    let (gateway, origin) = hello_with("");
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab");
    client.finish_sending();
    assert_eq!(client.read_response().text(), "hello");
    assert!(client.is_closed());
    assert!(origin.only_request().complete);
}

#[test]
fn c10_a_client_that_closes_its_side_gets_all_its_answers_however_late_they_are() {
    let origin = Origin::start(|request| async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        Response::new(gatewright_tests::full(request.uri().path().to_owned()))
    });
    let gateway = TestGateway::start(&passing_with(&origin.url(), "", ""));
    let mut client = RawClient::connect(gateway.addr("public"));
    for path in ["/1", "/2", "/3"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    client.finish_sending();
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.read_response().text(), path);
    }
    assert!(client.is_closed());
}

/// A gateway with half a second for an exchange, whose routes pass bodies on as they come or read them first.
fn with_little_time(origin: &Origin) -> TestGateway {
    let route = |name: &str, chain: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\ntimeout = \"500ms\"\nchain = [{chain}]\n\
             integration = {{ http = \"app\" }}\n"
        )
    };
    TestGateway::start(&routed(
        &origin.url(),
        &[
            route("streams", ""),
            route("validates", "{ use = \"validate\", schema = { type = \"array\" } }"),
            route("inspects", "{ use = \"waf\" }"),
            route(
                "transforms",
                "{ use = \"body\", request = { template = \"{{ request.body }}\" } }",
            ),
        ]
        .concat(),
    ))
}

/// The pieces of a body that takes twice the time of an exchange.
const PIECES: [&str; 10] = ["[", "1", ",", "2", ",", "3", ",", "4", "4", "]"];
const PIECE_TIME: Duration = Duration::from_millis(100);

#[test]
fn a_body_that_comes_slowly_and_steadily_has_more_time_than_the_exchange() {
    let origin = Origin::start(|request| async move {
        let _ = request.into_body().collect().await;
        Response::new(gatewright_tests::full("hello"))
    });
    let gateway = with_little_time(&origin);
    for path in ["/streams", "/validates", "/inspects", "/transforms"] {
        for chunked in [false, true] {
            let mut client = RawClient::connect(gateway.addr("public"));
            let framing = if chunked {
                "Transfer-Encoding: chunked"
            } else {
                "Content-Length: 10"
            };
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
            ));
            for piece in PIECES {
                assert!(client.is_silent_for(PIECE_TIME), "{path}: the answer comes too early");
                client.send(if chunked {
                    format!("1\r\n{piece}\r\n")
                } else {
                    piece.to_owned()
                });
            }
            if chunked {
                client.send("0\r\n\r\n");
            }
            let response = client.read_response();
            assert_eq!((response.status, response.text().as_str()), (200, "hello"), "{path}");
        }
    }
    let (sender, body) = channel();
    let sending = runtime().spawn(async move {
        for piece in PIECES {
            tokio::time::sleep(PIECE_TIME).await;
            let _ = sender.send(Ok(piece.into()));
        }
    });
    let mut client = H2Client::connect(gateway.addr("public"));
    let request = Request::post("http://localhost/streams").body(body).unwrap();
    assert_eq!(client.send(request).unwrap().status, 200);
    gatewright_tests::block_on(sending).unwrap();
}

#[test]
fn the_upstreams_time_begins_when_the_body_has_ended() {
    let origin = Origin::start(|request| async move {
        let _ = request.into_body().collect().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        Response::new(gatewright_tests::full("late"))
    });
    let gateway = with_little_time(&origin);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /streams HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    for piece in PIECES {
        assert!(client.is_silent_for(PIECE_TIME));
        client.send(piece);
    }
    let ended = Instant::now();
    let response = client.read_response();
    assert_eq!((response.status, response.error()), (504, Some("INTEGRATION_TIMEOUT")));
    assert!(ended.elapsed() >= Duration::from_millis(450), "{:?}", ended.elapsed());
    assert!(ended.elapsed() < SOON);
}

#[test]
fn an_upstream_that_does_not_take_a_body_has_no_more_time_for_it() {
    let origin = RawOrigin::start(|socket| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(socket);
    });
    let gateway = TestGateway::start(&passing_with(
        &origin.url(),
        "limits = { body = \"1GiB\" }",
        "timeout = \"500ms\"",
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(format!(
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        1 << 30
    ));
    // More than the buffers of two connections hold.
    let piece = vec![b'x'; 1 << 20];
    while client.try_send(&piece).is_ok() {}
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["status"], &record["error"]),
        (&504.into(), &"INTEGRATION_TIMEOUT".into()),
        "{record}"
    );
    assert!(record["cause"].as_str().unwrap().contains("has not taken"), "{record}");
}
