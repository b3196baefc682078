//! The `concurrency` stage end to end: who has a place, and when it is free again.

use std::time::Duration;

use gatewright_tests::raw_client::RawClient;
use gatewright_tests::redis::RedisServer;
use gatewright_tests::{RawOrigin, TestGateway, eventually, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn gateway(stage: &str, redis: &str, origin: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [admin]
        address = "127.0.0.1:0"

        {redis}

        [upstream.app]
        targets = [{{ url = "{origin}" }}]

        [[route]]
        name = "slow"
        path = "/slow"
        chain = [{{ use = "concurrency", limit = 1, {stage} }}]
        integration = {{ http = "app" }}

        [[route]]
        name = "refused"
        path = "/refused"
        chain = [{{ use = "concurrency", limit = 1, {stage} }}, {{ use = "ip", deny = ["0.0.0.0/0"] }}]
        integration = {{ respond = 200 }}
        "#
    ))
}

/// Begins responses, and never ends them.
fn endless() -> RawOrigin {
    RawOrigin::start(|mut socket| async move {
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            .await;
        while matches!(socket.read(&mut request).await, Ok(1..)) {}
    })
}

/// Leaves in the middle of a response. Who closes its side sooner after its request only says that there is no other (C10),
/// and is waited for.
fn leave(mut client: RawClient) {
    client.read_bytes(b"abc".len());
    assert!(client.is_silent_for(Duration::from_millis(150)));
}

#[test]
fn a_place_is_taken_until_the_last_byte_and_free_when_the_client_is_gone() {
    let origin = endless();
    let gateway = gateway("by = \"header:x-tenant\"", "", &origin.url());
    let addr = gateway.addr("public");
    let mut holder = RawClient::connect(addr);
    holder.send("GET /slow HTTP/1.1\r\nhost: a\r\nx-tenant: a\r\n\r\n");
    assert_eq!(holder.read_response_to_head().status, 200);
    let refused = http(addr, "GET", "/slow", &[("x-tenant", "a")], b"");
    assert_eq!(
        (refused.status, refused.error()),
        (429, Some("TOO_MANY_CONCURRENT_REQUESTS"))
    );
    let mut other = RawClient::connect(addr);
    other.send("GET /slow HTTP/1.1\r\nhost: a\r\nx-tenant: b\r\n\r\n");
    assert_eq!(
        other.read_response_to_head().status,
        200,
        "another tenant has other places"
    );
    leave(holder);
    eventually("the place is free", || {
        let mut next = RawClient::connect(addr);
        next.send("GET /slow HTTP/1.1\r\nhost: a\r\nx-tenant: a\r\n\r\n");
        (next.read_response_to_head().status == 200).then_some(())
    });
}

#[test]
fn a_request_that_is_refused_later_gives_its_place_back() {
    let gateway = gateway("by = \"route\"", "", "http://127.0.0.1:9");
    for _ in 0..5 {
        let response = http(gateway.addr("public"), "GET", "/refused", &[], b"");
        assert_eq!(response.status, 403, "{response:?}");
    }
}

#[test]
fn gateways_share_places_and_give_them_back() {
    let redis = RedisServer::start();
    let origin = endless();
    let section = format!("[redis]\n{}", redis.keys());
    let stage = "by = \"route\", scope = \"cluster\", when_unavailable = \"closed\"";
    let [one, other] = [(); 2].map(|()| gateway(stage, &section, &origin.url()));
    let mut holder = RawClient::connect(one.addr("public"));
    holder.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(holder.read_response_to_head().status, 200);
    assert_eq!(http(other.addr("public"), "GET", "/slow", &[], b"").status, 429);
    leave(holder);
    let _holder = eventually("the place is free for the other gateway", || {
        let mut next = RawClient::connect(other.addr("public"));
        next.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
        (next.read_response_to_head().status == 200).then_some(next)
    });
    // What a gateway that dies holds is free in the end: the server was told so from the beginning.
    let keys = redis.ask(&["KEYS", "gatewright:places:*"]);
    let key = keys.lines().find(|line| line.starts_with("gatewright:")).unwrap();
    let left: u64 = redis
        .ask(&["PTTL", key])
        .trim()
        .trim_start_matches(':')
        .parse()
        .unwrap();
    assert!(left <= 15_000, "{left}");
}
