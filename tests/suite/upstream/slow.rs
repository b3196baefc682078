//! U2 and U8: answers that do not come, or do not go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::raw_origin::read_head;
use gatewright_tests::{Origin, RawClient, RawOrigin, eventually, http};
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{proxy, proxy_to};

/// Reads requests and never answers; counts the connections that it still has.
fn silent() -> (RawOrigin, Arc<AtomicUsize>) {
    let open = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&open);
    let origin = RawOrigin::start(move |mut socket| {
        let open = Arc::clone(&counting);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            let mut rest = [0; 1024];
            while matches!(socket.read(&mut rest).await, Ok(1..)) {}
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    (origin, open)
}

fn assert_504_after(gateway: SocketAddr, method: &str, body: &[u8], deadline: Duration) {
    let started = Instant::now();
    let response = http(gateway, method, "/x", &[], body);
    let took = started.elapsed();
    assert_eq!((response.status, response.error()), (504, Some("INTEGRATION_TIMEOUT")));
    // Not before, and not much later: the machine may be busy.
    assert!(
        took >= deadline && took < deadline + Duration::from_millis(700),
        "{took:?} for {deadline:?}"
    );
}

#[test]
fn u2_no_answer_is_504_at_the_routes_deadline_and_frees_the_connection() {
    let (origin, open) = silent();
    let gateway = proxy_to(&[&origin.url()], "", "timeout = \"300ms\"");
    for (method, body) in [("GET", &b""[..]), ("POST", b"body")] {
        assert_504_after(gateway.addr("public"), method, body, Duration::from_millis(300));
        eventually("the upstream's connection is closed", || {
            (open.load(Ordering::SeqCst) == 0).then_some(())
        });
    }
    assert_eq!(origin.connections(), 2, "nothing is tried twice");
}

#[test]
fn u2_no_answer_is_504_at_the_upstreams_deadline_if_that_is_earlier() {
    let (origin, _) = silent();
    let gateway = proxy_to(&[&origin.url()], "response_timeout = \"300ms\"", "timeout = \"20s\"");
    assert_504_after(gateway.addr("public"), "GET", b"", Duration::from_millis(300));
}

#[test]
fn u2_a_connection_that_is_not_accepted_is_504_at_the_connect_timeout() {
    use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, listen, socket};
    // A queue of one place that is taken: further connections get no answer at all.
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let addr = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
    let waiting = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    connect(&waiting, &addr).unwrap();
    let gateway = proxy_to(&[&format!("http://{addr}")], "connect_timeout = \"300ms\"", "");
    assert_504_after(gateway.addr("public"), "GET", b"", Duration::from_millis(300));
}

#[test]
fn u2_a_slow_upstream_does_not_slow_down_others() {
    let (slow, _) = silent();
    let fast = Origin::saying("fast");
    let gateway = gatewright_tests::TestGateway::start(&format!(
        r#"
        [server]
        workers = 1
        [listener.public]
        address = "127.0.0.1:0"
        [upstream]
        slow = {{ targets = [{{ url = "{}" }}] }}
        fast = {{ targets = [{{ url = "{}" }}] }}
        [[route]]
        name = "slow"
        path = "/slow"
        integration = {{ http = "slow" }}
        timeout = "1s"
        [[route]]
        name = "fast"
        path = "/fast"
        integration = {{ http = "fast" }}
        "#,
        slow.url(),
        fast.url()
    ));
    let addr = gateway.addr("public");
    let waiting: Vec<RawClient> = (0..50)
        .map(|_| {
            let mut client = RawClient::connect(addr);
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(http(addr, "GET", "/fast", &[], b"").status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    for mut client in waiting {
        assert_eq!(client.read_response().status, 504);
    }
}

#[test]
fn u8_a_body_that_stalls_is_cut_off_where_the_client_can_see_it() {
    let origin = RawOrigin::start(|mut socket| async move {
        read_head(&mut socket).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            .await;
        let mut rest = [0; 1];
        let _ = socket.read(&mut rest).await;
    });
    let gateway = proxy_to(&[&origin.url()], "body_timeout = \"200ms\"", "");
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let bytes = String::from_utf8(client.read_to_end(Duration::from_secs(5))).unwrap();
    assert!(
        bytes.contains("content-length: 100\r\n") && bytes.ends_with("\r\n\r\nhalf"),
        "{bytes}"
    );
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["error"], &record["outcome"]),
        (&"INTEGRATION_TIMEOUT".into(), &"failed".into())
    );
}

#[test]
fn u8_a_body_that_takes_longer_than_every_timeout_comes_whole_if_it_does_not_stall() {
    let origin = Origin::start(|_| async {
        let (sender, body) = gatewright_tests::channel();
        tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                let _ = sender.send(Ok("x".into()));
            }
        });
        Response::new(body)
    });
    let gateway = proxy_to(
        &[&origin.url()],
        "body_timeout = \"300ms\"\nresponse_timeout = \"300ms\"",
        "timeout = \"300ms\"",
    );
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!(response.text(), "x".repeat(20));
}

#[test]
fn u8_an_endless_body_ends_when_the_client_goes() {
    let (written, counting) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (open, total) = (Arc::clone(&written), Arc::clone(&counting));
    let origin = RawOrigin::start(move |mut socket| {
        let (open, total) = (Arc::clone(&open), Arc::clone(&total));
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            read_head(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while socket.write_all(&[b'x'; 1024]).await.is_ok() {
                total.fetch_add(1024, Ordering::SeqCst);
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let gateway = proxy(&origin.url());
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(100_000);
    drop(client);
    let started = Instant::now();
    eventually("the upstream sees that nobody reads", || {
        (written.load(Ordering::SeqCst) == 0).then_some(())
    });
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["status"], &record["outcome"]),
        (&499.into(), &"client_gone".into())
    );
}
