//! U3 and U7: connections that end too early, and answers that come too early.

use std::time::Duration;

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{H2Client, RawClient, RawOrigin, block_on, empty, http};
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::proxy;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// In order.
    Closed,
    /// By a reset.
    Reset,
}

/// Reads a request's head, writes these bytes, and ends the connection.
fn ending(bytes: &'static str, end: End) -> RawOrigin {
    RawOrigin::start(move |mut socket| async move {
        read_head(&mut socket).await;
        let _ = socket.write_all(bytes.as_bytes()).await;
        if matches!(end, End::Reset) {
            rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        }
    })
}

#[test]
fn u3_a_connection_that_ends_before_a_whole_head_is_502() {
    for bytes in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nX-Half: ",
        "HTTP/1.1 200 OK\r\nX-Whole: a\r\n",
    ] {
        for end in [End::Closed, End::Reset] {
            let origin = ending(bytes, end);
            let gateway = proxy(&origin.url());
            for method in ["GET", "POST"] {
                let response = http(gateway.addr("public"), method, "/x", &[], b"");
                assert_eq!(
                    (response.status, response.error()),
                    (502, Some("INTEGRATION_FAILURE")),
                    "{method} {bytes:?} {end:?}"
                );
            }
            assert_eq!(
                origin.connections(),
                2,
                "a new connection that fails is not tried again: {bytes:?}"
            );
        }
    }
}

#[test]
fn u3_a_body_that_breaks_off_never_has_a_clean_end() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe first part";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nthe first part\r\n";
    let in_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nthe first part";
    let no_last_crlf = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nthe first part\r\n0\r\n";
    for bytes in [length, chunked, in_chunk, no_last_crlf] {
        let origin = ending(bytes, End::Closed);
        let gateway = proxy(&origin.url());
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let got = String::from_utf8(client.read_to_end(Duration::from_secs(5))).unwrap();
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
        assert!(got.contains("the first part"), "what came is passed on: {got}");
        assert!(!got.ends_with("0\r\n\r\n"), "a clean end for {bytes:?}: {got}");
        assert!(client.is_closed());
        let record = gateway.wait_for_records(1).remove(0);
        assert_eq!(
            (&record["status"], &record["error"], &record["outcome"]),
            (&200.into(), &"INTEGRATION_FAILURE".into(), &"failed".into())
        );
    }
}

#[test]
fn u3_a_body_that_is_reset_never_has_a_clean_end() {
    let origin = ending(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nthe first part\r\n",
        End::Reset,
    );
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    // The reset may take the first part away, too.
    let got = String::from_utf8(client.read_to_end(Duration::from_secs(5))).unwrap();
    assert!(!got.contains("\r\n0\r\n"), "{got}");
}

#[test]
fn u3_over_http2_a_body_that_breaks_off_resets_the_stream_and_no_other() {
    let origin = RawOrigin::start(|mut socket| async move {
        let head = read_head(&mut socket).await;
        let answer = if head.starts_with(b"GET /whole") {
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        };
        let _ = socket.write_all(answer.as_bytes()).await;
    });
    let gateway = proxy(&origin.url());
    let mut client = H2Client::connect(gateway.addr("public"));
    let request = |path: &str| Request::get(format!("http://a{path}")).body(empty()).unwrap();
    let broken = client.send(request("/half")).unwrap_err();
    assert!(is_reset(&broken), "{broken:?}");
    let whole = client.send(request("/whole")).unwrap();
    assert_eq!(whole.body, "whole");
}

fn is_reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(h2::Error::is_reset)
}

#[test]
fn u7_an_answer_before_the_body_has_been_read_reaches_the_client() {
    let answer = "HTTP/1.1 413 Too Much\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much";
    for abrupt in [false, true] {
        let origin = RawOrigin::start(move |mut socket| async move {
            read_head(&mut socket).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            if !abrupt {
                let _ = socket.shutdown().await;
                let mut rest = vec![0; 64 * 1024];
                while matches!(socket.read(&mut rest).await, Ok(1..)) {}
            }
            // Otherwise closed with unread bytes, which resets the connection.
        });
        let gateway = proxy(&origin.url());
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while sent < 100_000_000 && client.try_send(&piece).is_ok() {
            sent += piece.len();
        }
        let response = client.read_response();
        assert_eq!(
            (response.status, response.text().as_str()),
            (413, "too much"),
            "abrupt: {abrupt}"
        );
        assert!(sent < 100_000_000, "the gateway went on reading what nobody wants");
    }
}

#[test]
fn u7_over_http2_an_early_answer_reaches_the_client() {
    let origin = RawOrigin::answering("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    let gateway = proxy(&origin.url());
    let mut client = H2Client::connect(gateway.addr("public"));
    let (sender, body) = gatewright_tests::channel();
    let _ = sender.send(Ok(vec![b'x'; 10_000].into()));
    let request = Request::post("http://a/x").body(body).unwrap();
    // The body goes on: its sender is kept.
    let response = block_on(client.send_async(request)).unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (403, &b"no"[..]));
    drop(sender);
}
