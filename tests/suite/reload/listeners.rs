//! G8: listeners that a reload adds, removes or changes.

use std::net::{SocketAddr, TcpListener, TcpStream};

use gatewright_tests::{Certificates, Origin, RawClient, TestGateway, eventually, http};

use super::{number, numbered};

/// A port that was free a moment ago, for listeners that are not there from the beginning.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn with_listener(number: usize, addr: SocketAddr, lines: &str) -> String {
    format!("[listener.more]\naddress = \"{addr}\"\n{lines}\n{}", numbered(number))
}

fn load(gateway: &TestGateway, text: &str) {
    gateway.rewrite_config(text);
    gateway.reload().unwrap();
}

fn is_closed(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err()
}

#[test]
fn g8_a_listener_that_is_added_serves_and_one_that_is_removed_does_not() {
    let gateway = TestGateway::start(&numbered(0));
    let addr = free();
    for round in 1..=3 {
        load(&gateway, &with_listener(round, addr, ""));
        assert_eq!((number(addr), number(gateway.addr("public"))), (round, round));
        let mut idle = RawClient::connect(addr);
        assert_eq!(idle.request("GET", "/number", &[], b"").status, 200);
        load(&gateway, &numbered(round));
        assert!(idle.is_closed(), "an idle connection of a removed listener is closed");
        eventually("nobody listens there any more", || is_closed(addr).then_some(()));
        assert_eq!(number(gateway.addr("public")), round, "the other one is not disturbed");
    }
}

#[test]
fn g8_what_is_in_flight_on_a_removed_listener_finishes_even_when_the_process_ends() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let waiting = std::sync::Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = std::sync::Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            http::Response::new(gatewright_tests::full("finished"))
        }
    });
    let addr = free();
    let app = format!(
        "[upstream.app]\ntargets = [{{ url = \"{}\" }}]\n[[route]]\nname = \"app\"\npath = \"/app\"\nintegration = {{ http = \"app\" }}\n",
        origin.url()
    );
    let gateway = TestGateway::start(&(with_listener(0, addr, "") + &app));
    let mut client = RawClient::connect(addr);
    client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
    load(&gateway, &numbered(1));
    let stopping = std::thread::spawn(move || gateway.stop());
    eventually("nobody listens there any more", || is_closed(addr).then_some(()));
    gate.close();
    let response = client.read_response();
    assert_eq!((response.status, response.text().as_str()), (200, "finished"));
    assert!(response.closes());
    stopping.join().unwrap();
}

#[test]
fn g8_a_listener_that_moves_serves_at_its_new_address() {
    let (first, second) = (free(), free());
    let gateway = TestGateway::start(&with_listener(0, first, ""));
    assert_eq!(number(first), 0);
    load(&gateway, &with_listener(1, second, ""));
    assert_eq!(number(second), 1);
    eventually("nobody listens at the old one", || is_closed(first).then_some(()));
}

#[test]
fn g8_changed_limits_hold_for_connections_that_come_later() {
    let addr = free();
    let gateway = TestGateway::start(&with_listener(0, addr, "limits = { header_bytes = \"32KiB\" }"));
    let big = "b".repeat(10_000);
    let status = || http(addr, "GET", "/number", &[("x-big", &big)], b"").status;
    assert_eq!(status(), 200);
    load(
        &gateway,
        &with_listener(1, addr, "limits = { header_bytes = \"8KiB\" }"),
    );
    assert_eq!(status(), 431);
}

#[test]
fn g8_a_changed_number_of_connections_holds_without_a_restart() {
    let addr = free();
    let gateway = TestGateway::start(&with_listener(0, addr, "limits = { connections = 1 }"));
    let mut first = RawClient::connect(addr);
    assert_eq!(first.request("GET", "/number", &[], b"").status, 200);
    // The second one waits for the first to end, or for room.
    let mut second = RawClient::connect(addr);
    second.send("GET /number HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(second.is_silent_for(std::time::Duration::from_millis(100)));
    load(&gateway, &with_listener(1, addr, "limits = { connections = 2 }"));
    assert_eq!(second.read_response().text(), "1");
    load(&gateway, &with_listener(2, addr, "limits = { connections = 1 }"));
    drop(first);
    let mut third = RawClient::connect(addr);
    third.send("GET /number HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        third.is_silent_for(std::time::Duration::from_millis(100)),
        "there is room for one only"
    );
    drop(second);
    assert_eq!(third.read_response().text(), "2");
}

#[test]
fn g7_a_certificate_that_is_replaced_is_shown_from_then_on() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let read = |certificates: &Certificates, name: &str| std::fs::read(certificates.file(name)).unwrap();
    let files = gatewright_tests::TestFiles::default()
        .with("tls.pem", read(&old, "server.pem"))
        .with("tls.key", read(&old, "server.key"));
    let tls = "tls = { certificate = \"tls.pem\", key = \"tls.key\" }";
    let gateway = files.start(&numbered(1).replace("[[route]]", &format!("{tls}\n[[route]]")));
    let addr = gateway.addr("public");
    let mut kept = RawClient::connect_tls(addr, old.client(&["http/1.1"])).unwrap();
    assert_eq!(kept.request("GET", "/number", &[], b"").text(), "1");
    // One after the other, so that for a moment they do not belong together.
    gateway.write("tls.pem", read(&new, "server.pem"));
    eventually("the mismatch is refused", || {
        (gateway.metric("gatewright_reloads_total{result=\"refused\"}") > 0.0).then_some(())
    });
    assert!(
        RawClient::connect_tls(addr, old.client(&["http/1.1"])).is_ok(),
        "the old one serves meanwhile"
    );
    gateway.write("tls.key", read(&new, "server.key"));
    eventually("the new one is shown", || {
        RawClient::connect_tls(addr, new.client(&["http/1.1"])).ok()
    });
    assert!(RawClient::connect_tls(addr, old.client(&["http/1.1"])).is_err());
    assert_eq!(
        kept.request("GET", "/number", &[], b"").text(),
        "1",
        "an open connection goes on"
    );
}
