//! U4: connections that are kept between requests, and close at the worst time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{Origin, RawClient, RawOrigin, empty, eventually, full, http};
use http::{Method, Response};
use tokio::io::AsyncWriteExt as _;

use super::{proxy, proxy_to};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

type Seen = Arc<Mutex<HashMap<String, usize>>>;

/// Answers two requests on each connection, reads the third and closes: just as it is reused.
fn third_time_unlucky() -> (RawOrigin, Seen) {
    let seen = Seen::default();
    let counting = Arc::clone(&seen);
    let origin = RawOrigin::start(move |mut socket| {
        let seen = Arc::clone(&counting);
        async move {
            for answered in 0.. {
                let head = String::from_utf8(read_head(&mut socket).await).unwrap();
                let Some(target) = head.split(' ').nth(1) else { return };
                *seen.lock().unwrap().entry(target.to_owned()).or_default() += 1;
                if answered == 2 {
                    return;
                }
                let _ = socket.write_all(ANSWER).await;
            }
        }
    });
    (origin, seen)
}

#[test]
fn u4_no_get_fails_when_a_kept_connection_closes_just_as_it_is_reused() {
    let (origin, seen) = third_time_unlucky();
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for number in 0..2000 {
        let response = client.request("GET", &format!("/{number}"), &[], b"");
        assert_eq!(response.status, 200, "request {number}: {response:?}");
    }
    assert!(
        origin.connections() >= 900,
        "{}: the connections were closed",
        origin.connections()
    );
    // U11: however often that happens, the upstream is not asked much more than clients ask.
    let asked: usize = seen.lock().unwrap().values().sum();
    assert!(asked > 2000 && asked <= 2000 + 400 + 10, "{asked}");
}

#[test]
fn u4_a_post_is_not_sent_twice() {
    let (origin, seen) = third_time_unlucky();
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut failed = 0;
    for number in 0..60 {
        let response = client.request("POST", &format!("/{number}"), &[], b"");
        assert!(matches!(response.status, 200 | 502), "{response:?}");
        failed += usize::from(response.status == 502);
    }
    assert_eq!(failed, 20, "each third one meets a connection that closes");
    assert!(seen.lock().unwrap().values().all(|times| *times == 1), "{seen:?}");
    assert_eq!(seen.lock().unwrap().len(), 60);
    drop(origin);
}

#[test]
fn u4_a_connection_that_closed_while_it_was_idle_is_not_used() {
    let closed = Arc::<Mutex<usize>>::default();
    let counting = Arc::clone(&closed);
    let origin = RawOrigin::start(move |mut socket| {
        let closed = Arc::clone(&counting);
        async move {
            read_head(&mut socket).await;
            let _ = socket.write_all(ANSWER).await;
            drop(socket);
            *closed.lock().unwrap() += 1;
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for number in 1..=50 {
        let response = client.request("POST", "/x", &[], b"body");
        assert_eq!(response.status, 200, "request {number}: {response:?}");
        eventually("the origin closes", || {
            (*closed.lock().unwrap() == number).then_some(())
        });
    }
}

#[test]
fn u4_an_upstream_that_closes_every_connection_is_given_up() {
    let origin = RawOrigin::start(|mut socket| async move {
        read_head(&mut socket).await;
    });
    let gateway = proxy(&origin.url());
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 502);
    assert_eq!(
        origin.connections(),
        1,
        "a new connection that breaks is not tried again"
    );
}

#[test]
fn requests_one_after_the_other_share_a_connection() {
    let origin = Origin::saying("ok");
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..50 {
        assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
        assert_eq!(client.request("POST", "/x", &[], b"body").status, 200);
    }
    for _ in 0..50 {
        assert_eq!(http(gateway.addr("public"), "GET", "/x", &[], b"").status, 200);
    }
    assert_eq!((origin.hits(), origin.connections()), (150, 1));
}

#[test]
fn responses_without_a_body_leave_the_connection_free() {
    let origin = Origin::start(|request| async move {
        let path = request.uri().path().to_owned();
        let response = Response::builder();
        match path.as_str() {
            "/204" => response.status(204).body(empty()),
            "/304" => response.status(304).header("etag", "\"a\"").body(empty()),
            _ if request.method() == Method::HEAD => response.header("content-length", "7").body(empty()),
            _ => response.body(full("seven b")),
        }
        .unwrap()
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..10 {
        let head = client.request("HEAD", "/x", &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("7")));
        let no_content = client.request("GET", "/204", &[], b"");
        assert_eq!((no_content.status, no_content.header("content-length")), (204, None));
        let not_modified = client.request("GET", "/304", &[], b"");
        assert_eq!((not_modified.status, not_modified.header("etag")), (304, Some("\"a\"")));
        assert_eq!(client.request("GET", "/x", &[], b"").text(), "seven b");
    }
    assert_eq!((origin.hits(), origin.connections()), (40, 1));
    let records = gateway.wait_for_records(40);
    assert!(
        records.iter().all(|record| record["outcome"] == "answered"),
        "{records:?}"
    );
}

#[test]
fn an_idle_connection_is_closed_when_its_time_is_up() {
    let origin = Origin::saying("ok");
    let gateway = proxy_to(&[&origin.url()], "idle_timeout = \"100ms\"", "");
    let addr = gateway.addr("public");
    assert_eq!(http(addr, "GET", "/x", &[], b"").status, 200);
    let before = std::time::Instant::now();
    while before.elapsed() < std::time::Duration::from_millis(120) {
        std::thread::yield_now();
    }
    assert_eq!(http(addr, "GET", "/x", &[], b"").status, 200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn no_more_connections_are_kept_than_configured() {
    let origin = Origin::saying("ok");
    let gateway = proxy_to(&[&origin.url()], "idle_connections = 0", "");
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..5 {
        assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    }
    assert_eq!(origin.connections(), 5);
}

#[test]
fn a_connection_is_unused_for_no_longer_than_the_upstream_keeps_it() {
    let origin = Origin::start(|request| async move {
        let mut response = Response::new(full("ok"));
        if let Some(asked) = request.headers().get("x-keep") {
            response.headers_mut().insert("keep-alive", asked.clone());
        }
        response
    });
    let gateway = proxy(&origin.url());
    // All by one worker, which has its own connections.
    let mut client = RawClient::connect(gateway.addr("public"));
    let mut ask = |keep: &str| {
        let response = client.request("GET", "/x", &[("x-keep", keep)], b"");
        assert_eq!((response.status, response.header("keep-alive")), (200, None));
    };
    ask("timeout=60");
    ask("timeout=60");
    assert_eq!(origin.connections(), 1);
    ask("timeout=0");
    ask("timeout=60");
    assert_eq!(origin.connections(), 2, "the one that was closed is not used again");
    ask("timeout=1");
    std::thread::sleep(std::time::Duration::from_millis(600));
    ask("timeout=60");
    assert_eq!(origin.connections(), 3, "half a second is over");
}
