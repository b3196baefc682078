//! C12: a client that leaves takes its work with it, and the record says so.

use std::time::Duration;

use bytes::Bytes;
use gatewright_tests::{H2Client, Origin, RawClient, TestGateway, channel, eventually, full, runtime};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use crate::setup::passing;

/// Who closes its side sooner after its request has only said that there is no other (C10).
const LATER: Duration = Duration::from_millis(150);

#[test]
fn c12_a_client_that_leaves_mid_upload_ends_the_upstreams_request() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let origin = Origin::start(move |request| {
        let ended = ended.clone();
        async move {
            let broke_off = request.into_body().collect().await.is_err();
            let _ = ended.send(broke_off);
            Response::new(full("hello"))
        }
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhello");
    eventually("the upload begins", || {
        origin
            .requests()
            .iter()
            .any(|request| request.body == b"hello")
            .then_some(())
    });
    drop(client);
    assert!(within_a_second(&mut end), "the origin takes the body for complete");
    let records = gateway.wait_for_records(1);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0]["status"].as_u64(), records[0]["outcome"].as_str()),
        (Some(499), Some("client_gone"))
    );
    assert_eq!(records[0]["request_bytes"], 5);
}

#[test]
fn c12_a_client_that_leaves_before_the_answer_ends_the_upstreams_request() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let origin = Origin::start(move |_| {
        // Sent when hyper drops the handler, because its connection has ended.
        let guard = Notice(ended.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Response::new(full("never"))
        }
    });
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    eventually("the origin is asked", || (origin.hits() == 1).then_some(()));
    assert!(client.is_silent_for(LATER));
    drop(client);
    assert!(within_a_second(&mut end));
    let records = gateway.wait_for_records(1);
    assert_eq!(
        (records[0]["status"].as_u64(), records[0]["outcome"].as_str()),
        (Some(499), Some("client_gone"))
    );
}

/// An origin whose answer begins with `begin` and never ends; says when nobody wants it any more.
fn unending() -> (Origin, mpsc::UnboundedReceiver<bool>) {
    let (ended, end) = mpsc::unbounded_channel();
    let origin = Origin::start(move |_| {
        let (sender, body) = channel();
        let _ = sender.send(Ok(Bytes::from_static(b"begin")));
        let ended = ended.clone();
        runtime().spawn(async move {
            sender.closed().await;
            let _ = ended.send(true);
        });
        async move { Response::new(body) }
    });
    (origin, end)
}

#[test]
fn c12_a_client_that_leaves_mid_download_ends_the_upstreams_response() {
    let (origin, mut end) = unending();
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let begun = eventually("the download begins", || {
        let bytes = client.read_some().unwrap();
        String::from_utf8_lossy(&bytes).contains("begin").then_some(bytes)
    });
    assert!(begun.starts_with(b"HTTP/1.1 200") || begun.ends_with(b"begin\r\n"));
    assert!(client.is_silent_for(LATER));
    drop(client);
    assert!(within_a_second(&mut end));
    let records = gateway.wait_for_records(1);
    assert_eq!(
        (records[0]["status"].as_u64(), records[0]["outcome"].as_str()),
        (Some(499), Some("client_gone"))
    );
    assert_eq!(records[0]["response_bytes"], 5);
}

#[test]
fn c12_a_stream_that_is_reset_ends_the_upstreams_response() {
    let (origin, mut end) = unending();
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = H2Client::connect(gateway.addr("public"));
    let request = Request::get("http://localhost/x")
        .body(gatewright_tests::empty())
        .unwrap();
    let gave_up = runtime()
        .block_on(async { tokio::time::timeout(Duration::from_millis(200), client.send_async(request)).await });
    assert!(gave_up.is_err(), "an answer without end has ended");
    assert!(within_a_second(&mut end));
    let records = gateway.wait_for_records(1);
    assert_eq!(records[0]["status"], 499);
    // The connection is as good as before.

    let request = Request::get("http://localhost/y")
        .body(gatewright_tests::empty())
        .unwrap();
    let again = runtime()
        .block_on(async { tokio::time::timeout(Duration::from_millis(200), client.send_async(request)).await });
    assert!(again.is_err());
    eventually("the second stream reaches the origin", || {
        (origin.hits() == 2).then_some(())
    });
}

struct Notice(mpsc::UnboundedSender<bool>);

impl Drop for Notice {
    fn drop(&mut self) {
        let _ = self.0.send(true);
    }
}

fn within_a_second(end: &mut mpsc::UnboundedReceiver<bool>) -> bool {
    runtime()
        .block_on(async { tokio::time::timeout(Duration::from_secs(1), end.recv()).await })
        .expect("it does not end within a second")
        .expect("an end")
}
