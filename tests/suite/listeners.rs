//! C19, and how clients come in: TCP, Unix sockets, TLS, several listeners, the wrong protocol at the right port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_tests::{Certificates, H2Client, Origin, RawClient, TestGateway, empty, http};
use http::Request;

use crate::setup::{assert_serves, hello_with, passing_with};

fn tls(certificates: &Certificates, more: &str) -> (TestGateway, Origin) {
    let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
    hello_with(&format!(
        "tls = {{ certificate = \"{certificate}\", key = \"{key}\" {more} }}\nlimits = {{ handshake_timeout = \"300ms\" }}"
    ))
}

/// How a client of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Everything that comes back for these bytes, on a connection of their own.
fn answer(gateway: &TestGateway, bytes: &[u8]) -> String {
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(bytes);
    let answer = client.read_to_end(Duration::from_secs(5));
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn tls_clients_choose_the_protocol_by_alpn() {
    let certificates = Certificates::new();
    let (gateway, origin) = tls(&certificates, "");
    let addr = gateway.addr("public");
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let client = RawClient::connect_tls(addr, certificates.client(offered)).unwrap();
        assert_eq!(client.alpn().as_deref(), agreed, "{offered:?}");
    }
    let mut http1 = RawClient::connect_tls(addr, certificates.client(&[])).unwrap();
    assert_eq!(http1.request("GET", "/1", &[], b"").text(), "hello");
    let mut http2 = H2Client::connect_tls(addr, certificates.client(&["h2"])).unwrap();
    let request = Request::get("https://localhost/2").body(empty()).unwrap();
    assert_eq!(http2.send(request).unwrap().body, "hello");
    for request in origin.requests() {
        assert_eq!(request.headers["x-forwarded-proto"], "https");
    }
    let records = gateway.wait_for_records(2);
    assert_eq!(
        (records[0]["protocol"].as_str(), records[1]["protocol"].as_str()),
        (Some("HTTP/1.1"), Some("HTTP/2"))
    );
}

#[test]
fn tls_1_2_is_spoken_unless_the_configuration_says_1_3() {
    let certificates = Certificates::new();
    let old = certificates.client_with(&[&rustls::version::TLS12], &[]);
    let (any, _origin) = tls(&certificates, "");
    let mut client = RawClient::connect_tls(any.addr("public"), Arc::clone(&old)).unwrap();
    assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    let (new_only, _origin) = tls(&certificates, ", min_version = \"1.3\"");
    assert!(RawClient::connect_tls(new_only.addr("public"), old).is_err());
    let new = certificates.client_with(&[&rustls::version::TLS13], &[]);
    assert!(RawClient::connect_tls(new_only.addr("public"), new).is_ok());
}

#[test]
fn a_client_that_wants_another_protocol_is_refused_by_alpn() {
    let certificates = Certificates::new();
    let (gateway, _origin) = tls(&certificates, "");
    assert!(RawClient::connect_tls(gateway.addr("public"), certificates.client(&["spdy/3"])).is_err());
}

#[test]
fn c19_http_on_the_tls_port_and_silence_are_closed() {
    let certificates = Certificates::new();
    let (gateway, origin) = tls(&certificates, "");
    let addr = gateway.addr("public");
    let answer = answer(&gateway, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!answer.starts_with("HTTP/"), "{answer:?}");
    let started = Instant::now();
    let mut silent = RawClient::connect(addr);
    assert!(silent.is_closed());
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "the handshake has a limit of its own"
    );
    assert_eq!(origin.connections(), 0);
    let mut good = RawClient::connect_tls(addr, certificates.client(&[])).unwrap();
    assert_eq!(good.request("GET", "/x", &[], b"").status, 200);
}

#[test]
fn c19_tls_on_a_plain_port_is_400_or_closed() {
    let certificates = Certificates::new();
    let (gateway, origin) = hello_with("");
    assert!(RawClient::connect_tls(gateway.addr("public"), certificates.client(&["h2"])).is_err());
    let answer = answer(&gateway, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    assert_eq!(origin.connections(), 0);
    assert_serves(&gateway);
}

#[test]
fn c19_http_2_on_a_port_for_http_1_is_refused() {
    let (gateway, origin) = hello_with("protocols = [\"http/1.1\"]");
    let answer = answer(&gateway, PREFACE);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    assert_eq!(origin.connections(), 0);
    assert_serves(&gateway);
}

#[test]
fn c19_http_1_on_a_port_for_http_2_is_closed() {
    let (gateway, origin) = hello_with("protocols = [\"h2\"]");
    let answer = answer(&gateway, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer:?}");
    assert_eq!(origin.connections(), 0);
    let mut good = H2Client::connect(gateway.addr("public"));
    let request = Request::get("http://localhost/x").body(empty()).unwrap();
    assert_eq!(good.send(request).unwrap().status, 200);
}

#[test]
fn a_preface_that_comes_byte_by_byte_is_a_preface() {
    let (gateway, _origin) = hello_with("");
    let mut client = RawClient::connect(gateway.addr("public"));
    for byte in PREFACE {
        client.send([*byte]);
    }
    // The server's settings come first.
    let frame = client.read_bytes(9);
    assert_eq!((frame[3], frame[4]), (4, 0), "{frame:?}");
}

#[test]
fn a_unix_socket_serves_as_a_port_does_and_its_file_goes_with_the_gateway() {
    let origin = Origin::saying("hello");
    let config = passing_with(&origin.url(), "", "").replace("127.0.0.1:0\"", "unix:{dir}/gateway.sock\"");
    let gateway = TestGateway::start(&config);
    let socket = gateway.dir().join("gateway.sock");
    let mut client = RawClient::connect_unix(&socket);
    for _ in 0..3 {
        assert_eq!(
            client
                .request("GET", "/x", &[("X-Forwarded-For", "203.0.113.9")], b"")
                .text(),
            "hello"
        );
    }
    let request = origin.requests().remove(0);
    assert!(
        !request.headers.contains_key("x-forwarded-for"),
        "{:?}",
        request.headers
    );
    let records = gateway.wait_for_records(3);
    assert_eq!(
        (records[0]["client"].as_str(), records[0]["listener"].as_str()),
        (Some("unix"), Some("public"))
    );
    drop(client);
    let _directory = gateway.stop();
    assert!(!socket.exists());
}

#[test]
fn each_listener_serves_its_own_routes() {
    let gateway = TestGateway::start(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [listener.internal]
        address = "127.0.0.1:0"
        protocols = ["http/1.1"]

        [[route]]
        name = "both"
        path = "/both"
        integration = { respond = 200, body = "both" }

        [[route]]
        name = "internal"
        path = "/internal"
        listeners = ["internal"]
        integration = { respond = 200, body = "internal" }
        "#,
    );
    let get = |listener: &str, path: &str| http(gateway.addr(listener), "GET", path, &[], b"").status;
    assert_eq!((get("public", "/both"), get("internal", "/both")), (200, 200));
    assert_eq!((get("public", "/internal"), get("internal", "/internal")), (404, 200));
    gateway.wait_for_records(4);
    assert_eq!(gateway.metric("gatewright_requests_total{listener=\"internal\"}"), 2.0);
}
