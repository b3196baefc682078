//! What comes is passed on as it comes, and kept only when it has come whole and is not too long.

use std::io;
use std::time::Duration;

use gatewright_tests::{Origin, RawClient, RawOrigin, TestGateway, channel, eventually, full};
use http::Response;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::UnboundedSender;

use super::{gateway, get, status};
use crate::setup::routed;

/// Who closes its side sooner after its request has only said that there is no other (C10).
const LATER: Duration = Duration::from_millis(150);

type Pieces = UnboundedSender<io::Result<bytes::Bytes>>;

/// An origin whose bodies are what the test sends.
fn streaming() -> (Origin, std::sync::mpsc::Receiver<Pieces>) {
    let (senders, receiver) = std::sync::mpsc::channel();
    let origin = Origin::start(move |_| {
        let (sender, body) = channel();
        senders.send(sender).unwrap();
        async move {
            Response::builder()
                .header("cache-control", "max-age=60")
                .body(body)
                .unwrap()
        }
    });
    (origin, receiver)
}

fn read_until(client: &mut RawClient, end: &[u8]) {
    let mut seen = Vec::new();
    while !seen.windows(end.len()).any(|window| window == end) {
        seen.extend(
            client
                .read_some()
                .unwrap_or_else(|| panic!("it ends too early: {seen:?}")),
        );
    }
}

#[test]
fn the_client_gets_what_comes_before_all_of_it_is_there() {
    let (origin, bodies) = streaming();
    let gateway = gateway(&origin, "");
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let body = bodies.recv().unwrap();
    body.send(Ok("first ".into())).unwrap();
    read_until(&mut client, b"first ");
    body.send(Ok("second".into())).unwrap();
    drop(body);
    read_until(&mut client, b"0\r\n\r\n");
    let kept = get(&gateway, "/a", &[("host", "a")]);
    assert_eq!(
        (kept.text().as_str(), kept.header("content-length")),
        ("first second", Some("12"))
    );
}

#[test]
fn a_body_that_breaks_off_or_whose_client_leaves_is_not_kept() {
    let (origin, bodies) = streaming();
    let gateway = gateway(&origin, "");
    let ask = || {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        let body = bodies.recv().unwrap();
        body.send(Ok("first ".into())).unwrap();
        read_until(&mut client, b"first ");
        (client, body)
    };
    let (mut client, body) = ask();
    body.send(Err(io::Error::other("broken"))).unwrap();
    assert!(client.is_closed());
    let (mut client, body) = ask();
    assert!(client.is_silent_for(LATER));
    drop(client);
    eventually("the fetch is given up", || body.is_closed().then_some(()));
    assert_eq!(
        (gateway.metric("gatewright_cache_stored_bytes"), origin.hits()),
        (0.0, 2)
    );
}

#[test]
fn a_body_that_is_shorter_than_it_says_is_not_kept() {
    let origin =
        RawOrigin::answering("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nshort");
    let route = "[[route]]\nname = \"all\"\npath = \"/{rest+}\"\nchain = [{ use = \"cache\" }]\nintegration = { http = \"app\" }\n";
    let gateway = TestGateway::start(&routed(&format!("http://{}", origin.addr()), route));
    for _ in 0..2 {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.try_read_response().is_err());
    }
    assert_eq!(
        (gateway.metric("gatewright_cache_entries"), origin.connections()),
        (0.0, 2)
    );
}

#[test]
fn what_is_longer_than_may_be_kept_goes_through_and_leaves_nothing() {
    let origin = Origin::start(|request| async move {
        let response = Response::builder().header("cache-control", "max-age=60");
        let body = "x".repeat(if request.uri().path() == "/long" { 11 } else { 10 });
        response.body(full(body)).unwrap()
    });
    let gateway = gateway(&origin, "object = \"10B\"");
    for path in ["/long", "/long", "/short", "/short"] {
        assert_eq!(get(&gateway, path, &[]).status, 200);
    }
    assert_eq!(origin.hits(), 3);
}

#[test]
fn endless_bodies_never_take_more_than_there_may_be() {
    // Ends when nobody reads any more.
    let origin = RawOrigin::start(|mut socket| async move {
        gatewright_tests::raw_origin::read_head(&mut socket).await;
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = socket.write_all(head.as_bytes()).await;
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while socket.write_all(piece.as_bytes()).await.is_ok() {}
    });
    let route = "[[route]]\nname = \"all\"\npath = \"/{rest+}\"\nchain = [{ use = \"cache\", object = \"2MiB\" }]\n\
                 integration = { http = \"app\" }\n[response_cache]\nbytes = \"4MiB\"\n";
    let gateway = TestGateway::start(&routed(&format!("http://{}", origin.addr()), route));
    let mut clients: Vec<_> = (0..4)
        .map(|number| {
            let mut client = RawClient::connect(gateway.addr("public"));
            client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
            client
        })
        .collect();
    // Eight times as much as may be kept of each.
    for _ in 0..64 {
        for client in &mut clients {
            assert!(client.read_bytes(256 << 10).len() >= 256 << 10);
        }
        assert!(gateway.metric("gatewright_cache_stored_bytes") <= f64::from(4 << 20));
    }
    drop(clients);
    eventually("nothing is left", || {
        (gateway.metric("gatewright_cache_stored_bytes") < 4096.0).then_some(())
    });
}

#[test]
fn trailers_go_through_and_what_has_some_is_not_kept() {
    let origin = Origin::start(|_| async {
        let trailers = [(
            http::HeaderName::from_static("x-sum"),
            http::HeaderValue::from_static("1"),
        )];
        let response = Response::builder()
            .header("cache-control", "max-age=60")
            .header("trailer", "x-sum");
        response
            .body(gatewright_tests::with_trailers("hello", trailers.into_iter().collect()))
            .unwrap()
    });
    let gateway = gateway(&origin, "");
    for _ in 0..2 {
        let response = get(&gateway, "/a", &[("te", "trailers")]);
        assert_eq!(response.trailers, [("x-sum".to_owned(), "1".to_owned())]);
        assert!(status(&response).contains("fwd=uri-miss"));
    }
}
