//! Interim responses of an upstream reach the client before the response (RFC 9110, section 15.2).

use std::sync::Arc;

use gatewright_tests::frames::StreamOutcome;
use gatewright_tests::{H2Frames, RawClient, RawOrigin, TestGateway, raw_origin::read_head};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::setup::passing;

const HINTS: &str = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\
                     Link: </b.js>; rel=preload\r\nX-Secret: 1\r\nSet-Cookie: a=b\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// An upstream that gives hints to each request of a connection, and answers when it is let.
fn hinting() -> (RawOrigin, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let origin = RawOrigin::start(move |mut socket| {
        let gate = Arc::clone(&opened);
        async move {
            while !read_head(&mut socket).await.is_empty() {
                let _ = socket.write_all(HINTS.as_bytes()).await;
                gate.acquire().await.unwrap().forget();
                let _ = socket.write_all(ANSWER.as_bytes()).await;
            }
        }
    });
    (origin, gate)
}

#[test]
fn interim_responses_come_before_the_response_and_with_what_a_page_needs() {
    let (origin, gate) = hinting();
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    // Several on a connection: each in its place.
    for _ in 0..5 {
        client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let interims = [client.read_any_response(), client.read_any_response()];
        assert_eq!(
            [interims[0].status, interims[1].status],
            [102, 103],
            "before there is a response"
        );
        assert_eq!(interims[1].headers.len(), 2, "{:?}", interims[1]);
        assert_eq!(interims[1].headers[0].1, "</a.css>; rel=preload");
        gate.add_permits(1);
        assert_eq!(client.read_any_response().text(), "hello");
    }
}

#[test]
fn interim_responses_that_come_together_with_the_response_still_come_before_it() {
    let origin = RawOrigin::answering(format!("{HINTS}{ANSWER}"));
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for _ in 0..2 {
        let statuses = [(); 3].map(|()| client.read_any_response().status);
        assert_eq!(statuses, [102, 103, 200]);
    }
}

#[test]
fn interim_responses_reach_clients_of_http_2_and_none_of_http_1_0() {
    let (origin, gate) = hinting();
    let gateway = TestGateway::start(&passing(&origin.url()));
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/x"),
    ];
    let mut client = H2Frames::connect(gateway.addr("public"));
    client.headers(1, &fields, true);
    assert_eq!(
        [client.outcome(1).status(), client.outcome(1).status()],
        [Some(102), Some(103)]
    );
    gate.add_permits(1);
    let outcome = client.outcome(1);
    assert!(
        matches!(outcome, StreamOutcome::Answered(_)) && outcome.status() == Some(200),
        "{outcome:?}"
    );

    gate.add_permits(1);
    let mut old = RawClient::connect(gateway.addr("public"));
    old.send("GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(old.read_any_response().status, 200);
}
