//! U5: upstreams that do not speak HTTP, or speak it to deceive.

use std::sync::Arc;
use std::time::Duration;

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{RawClient, RawOrigin, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::proxy;

/// What comes is 502, alone, and neither connection is used again.
#[track_caller]
fn assert_refused(answer: impl Into<Vec<u8>>) {
    let answer = answer.into();
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
    let origin = RawOrigin::start(move |mut socket| {
        let answer = answer.clone();
        async move {
            read_head(&mut socket).await;
            let _ = socket.write_all(&answer).await;
            // It would go on, so that the gateway must be the one that ends it.
            let mut rest = [0; 1024];
            if answer.is_empty() || !answer.contains(&b'\n') {
                return;
            }
            while matches!(socket.read(&mut rest).await, Ok(1..)) {}
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for connections in 1..=2 {
        let response = client.request("POST", "/x", &[], b"");
        assert_eq!(
            (response.status, response.error()),
            (502, Some("INTEGRATION_FAILURE")),
            "{shown:?}"
        );
        assert_eq!(response.header("x-evil"), None, "{shown:?}");
        assert_eq!(
            origin.connections(),
            connections,
            "the connection is not used again: {shown:?}"
        );
    }
}

#[test]
fn u5_a_message_with_two_lengths_is_502() {
    for fields in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 2",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: 0x2",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        assert_refused(format!("HTTP/1.1 200 OK\r\nX-Evil: 1\r\n{fields}\r\n\r\nok"));
    }
}

#[test]
fn u5_a_status_that_is_none_is_502() {
    for line in [
        "HTTP/1.1 99 Odd",
        "HTTP/1.1 099 Odd",
        "HTTP/1.1 600 Odd",
        "HTTP/1.1 1000 Odd",
        "HTTP/1.1 0 Odd",
        "HTTP/1.1 -200 Odd",
        "HTTP/1.1 2x0 Odd",
        "HTTP/1.1 Odd",
        "HTTP/1.1",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "ICY 200 OK",
        "200 OK",
    ] {
        assert_refused(format!("{line}\r\nX-Evil: 1\r\nContent-Length: 2\r\n\r\nok"));
    }
}

#[test]
fn u5_fields_that_could_split_a_response_are_502() {
    for fields in [
        "X-A: b\rX-Evil: 1",
        "X-A: b\nX-Evil: 1",
        "X-A: b\0c",
        "X-A: b\r\n X-Evil: 1",
        "X-A : b",
        "X A: b",
        ": b",
        "no colon",
        "X-A\u{7f}: b",
    ] {
        assert_refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 2\r\n\r\nok"));
    }
}

#[test]
fn u5_what_is_no_http_is_502() {
    assert_refused("<html>HTTP/0.9 had no head</html>");
    assert_refused("<html>\r\nHTTP/0.9 had no head</html>\r\n");
    assert_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec());
    assert_refused("220 mail.example ESMTP\r\n");
    assert_refused(vec![0; 100]);
}

#[test]
fn u5_a_switch_that_nobody_asked_for_is_502() {
    assert_refused(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nevil bytes\r\n",
    );
}

#[test]
fn u5_a_flood_of_interim_responses_is_502() {
    let mut answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100);
    answer.push_str("HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 2\r\n\r\nok");
    assert_refused(answer);
}

#[test]
fn u5_a_few_interim_responses_do_no_harm() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let origin = RawOrigin::answering(format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let gateway = proxy(&origin.url());
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").text(), "ok");
}

#[test]
fn u5_what_is_only_unusual_is_passed_on() {
    for (head, body) in [
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", "ok"),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", "ok"),
        ("HTTP/1.1 200 \u{fc}ber\r\nContent-Length: 2\r\n\r\n", "ok"),
        ("HTTP/1.0 200 OK\r\n\r\n", "until the end"),
        ("HTTP/1.1 200 OK\r\n\r\n", "until the end"),
        ("HTTP/1.1 200 OK\r\ncontent-length:2\r\nX-Empty:\r\n\r\n", "ok"),
        ("HTTP/1.1 599 Own\r\nContent-Length: 2\r\n\r\n", "ok"),
    ] {
        let origin = RawOrigin::answering(format!("{head}{body}"));
        let gateway = proxy(&origin.url());
        let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
        let expected = if head.contains("599") { 599 } else { 200 };
        assert_eq!(
            (response.status, response.text().as_str()),
            (expected, body),
            "{head:?}"
        );
        assert_eq!(response.error(), None);
    }
}

const BAD_CHUNKS: [&str; 8] = [
    "0x2\r\nok\r\n0\r\n\r\n",
    "2\r\nokay\r\n0\r\n\r\n",
    "2\nok\r\n0\r\n\r\n",
    "-2\r\nok\r\n0\r\n\r\n",
    "\r\nok\r\n0\r\n\r\n",
    "zz\r\n",
    "fffffffffffffffff\r\nok",
    "2 ;a\rb\r\nok\r\n0\r\n\r\n",
];

#[test]
fn u5_a_malformed_chunk_that_comes_with_the_head_is_502() {
    for chunk in BAD_CHUNKS {
        assert_refused(format!(
            "HTTP/1.1 200 OK\r\nX-Evil: 1\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
        ));
    }
}

#[test]
fn u5_a_malformed_chunk_that_comes_later_cuts_the_response_off() {
    for chunk in BAD_CHUNKS {
        let begun = Arc::new(Notify::new());
        let go_on = Arc::clone(&begun);
        let origin = RawOrigin::start(move |mut socket| {
            let go_on = Arc::clone(&go_on);
            async move {
                read_head(&mut socket).await;
                let good = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n";
                let _ = socket.write_all(good.as_bytes()).await;
                go_on.notified().await;
                let _ = socket.write_all(chunk.as_bytes()).await;
                let _ = socket.read(&mut [0; 1]).await;
            }
        });
        let gateway = proxy(&origin.url());
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut got = Vec::new();
        while !got.ends_with(b"good\r\n") {
            got.extend(client.read_some().expect("the good chunk"));
        }
        begun.notify_one();
        let rest = client.read_to_end(Duration::from_secs(5));
        assert!(
            !rest.ends_with(b"0\r\n\r\n"),
            "a clean end for {chunk:?}: {}",
            String::from_utf8_lossy(&rest)
        );
        assert!(client.is_closed());
    }
}

#[test]
fn u5_an_answer_that_nobody_asked_for_reaches_nobody() {
    // The upstream answers twice. The second answer must not be taken for that of the next request.
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
    ] {
        let origin = RawOrigin::start(move |mut socket| async move {
            let both = format!("{first}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
            while !read_head(&mut socket).await.is_empty() {
                let _ = socket.write_all(both.as_bytes()).await;
            }
        });
        let gateway = proxy(&origin.url());
        let mut client = RawClient::connect(gateway.addr("public"));
        for _ in 0..100 {
            let response = client.request("GET", "/x", &[], b"");
            assert_ne!(response.text(), "poison", "after {first:?}");
        }
    }
}

#[test]
fn u5_the_body_of_an_answer_that_has_none_reaches_nobody() {
    let origin = RawOrigin::start(|mut socket| async move {
        while !read_head(&mut socket).await.is_empty() {
            let _ = socket
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
                .await;
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..50 {
        let head = client.request("HEAD", "/x", &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("6")));
        let get = client.request("GET", "/x", &[], b"");
        assert_eq!(get.text(), "poison", "the answer to GET itself");
    }
}
