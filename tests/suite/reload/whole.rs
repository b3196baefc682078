//! G8: what is in flight finishes on the generation that it began with.

use std::sync::Arc;

use gatewright_tests::{H2Client, Origin, RawClient, TestFiles, TestGateway, empty, eventually, full, http};
use http::{Request, Response};
use tokio::sync::Semaphore;

use super::{number, numbered};

fn with_upstream(url: &str) -> String {
    numbered(1)
        + &format!(
            "[upstream.app]\ntargets = [{{ url = \"{url}\" }}]\n\
             [[route]]\nname = \"app\"\npath = \"/app\"\nintegration = {{ http = \"app\" }}\n"
        )
}

#[test]
fn g8_a_request_in_flight_finishes_on_the_generation_it_began_with() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("from the first"))
        }
    });
    let gateway = TestGateway::start(&with_upstream(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
    // Neither the route nor its upstream is there any more.
    gateway.rewrite_config(&numbered(2));
    gateway.reload().unwrap();
    assert_eq!(http(gateway.addr("public"), "GET", "/app", &[], b"").status, 404);
    gate.close();
    let response = client.read_response();
    assert_eq!((response.status, response.text().as_str()), (200, "from the first"));
    // The same connection gets the new generation from then on.
    assert_eq!(client.request("GET", "/app", &[], b"").status, 404);
    assert_eq!(client.request("GET", "/number", &[], b"").text(), "2");
}

#[test]
fn g8_a_response_that_streams_goes_on_through_reloads() {
    let (sender, body) = gatewright_tests::channel();
    let body = std::sync::Mutex::new(Some(body));
    let origin = Origin::start(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Response::new(body) }
    });
    let gateway = TestGateway::start(&with_upstream(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request is in flight", || (origin.hits() == 1).then_some(()));
    let mut sent = String::new();
    for number in 0..5 {
        gateway.rewrite_config(&numbered(number));
        gateway.reload().unwrap();
        let piece = format!("piece {number};");
        sender.send(Ok(piece.clone().into())).unwrap();
        sent.push_str(&piece);
    }
    drop(sender);
    assert_eq!(client.read_response().text(), sent);
}

#[test]
fn g8_connections_outlive_reloads() {
    let gateway = TestGateway::start(&numbered(0));
    let mut kept = RawClient::connect(gateway.addr("public"));
    let mut http2 = H2Client::connect(gateway.addr("public"));
    for number in 1..=20 {
        gateway.rewrite_config(&numbered(number));
        gateway.reload().unwrap();
        assert_eq!(kept.request("GET", "/number", &[], b"").text(), number.to_string());
        let request = Request::get("http://a/number").body(empty()).unwrap();
        assert_eq!(http2.send(request).unwrap().body, number.to_string());
    }
    assert_eq!(number(gateway.addr("public")), 20);
}

#[test]
fn g8_connections_to_upstreams_that_stay_the_same_outlive_reloads() {
    let origin = Origin::saying("ok");
    let text = format!("[server]\nworkers = 1\n{}", with_upstream(&origin.url()));
    let gateway = TestGateway::start(&text);
    for number in 0..10 {
        gateway.rewrite_config(&text.replace("\"1\"", &format!("\"{number}\"")));
        gateway.reload().unwrap();
        assert_eq!(http(gateway.addr("public"), "GET", "/app", &[], b"").status, 200);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn g8_what_a_throttle_has_counted_outlives_reloads() {
    let text = |number: usize| {
        numbered(number) + "chain = [{ use = \"throttle\", rate = \"1/h\", burst = 3, by = \"route\" }]\n"
    };
    let gateway = TestGateway::start(&text(0));
    let mut answers = Vec::new();
    for number in 1..=6 {
        gateway.rewrite_config(&text(number));
        gateway.reload().unwrap();
        answers.push(http(gateway.addr("public"), "GET", "/number", &[], b"").status);
    }
    assert_eq!(
        answers,
        [200, 200, 200, 429, 429, 429],
        "a reload is no way around a limit"
    );
}

#[test]
fn g8_keys_that_are_replaced_count_from_then_on() {
    use sha2::{Digest as _, Sha256};
    let keys = |key: &str| {
        let digest: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[key]]\nname = \"somebody\"\nsha256 = \"{digest}\"\n")
    };
    let text = numbered(1) + "chain = [{ use = \"api-key\", keys = \"keys.toml\", header = \"x-key\" }]\n";
    let gateway = TestFiles::default().with("keys.toml", keys("old")).start(&text);
    let status = |key: &str| http(gateway.addr("public"), "GET", "/number", &[("x-key", key)], b"").status;
    assert_eq!((status("old"), status("new")), (200, 403));
    gateway.write("keys.toml", keys("new"));
    eventually("the new key counts", || (status("new") == 200).then_some(()));
    assert_eq!(status("old"), 403);
}
