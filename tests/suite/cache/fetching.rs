//! One fetches, others wait: on their own clock, and never one after another.

use std::sync::Arc;
use std::time::Duration;

use gatewright_tests::{Origin, RawClient, TestGateway, eventually, full};
use http::Response;
use tokio::sync::Semaphore;

use super::{gateway, get, status};

/// An origin that answers when it is let, with these fields.
fn held(fields: &'static [(&'static str, &'static str)]) -> (Origin, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let let_through = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&let_through);
        async move {
            gate.acquire().await.unwrap().forget();
            let mut response = Response::builder();
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            response.body(full("hello")).unwrap()
        }
    });
    (origin, gate)
}

/// So many clients ask at once. What they got, when all have.
fn ask(gateway: &TestGateway, count: usize, fields: &[(&str, &str)]) -> Vec<RawClient> {
    let clients = (0..count).map(|_| {
        let mut client = RawClient::connect(gateway.addr("public"));
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        client.send(format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        client
    });
    clients.collect()
}

/// Until so many requests have reached the origin.
fn settle(origin: &Origin, hits: usize) {
    eventually("requests reach the origin", || (origin.hits() >= hits).then_some(()));
}

/// Until so many wait for another one.
fn wait(gateway: &TestGateway, count: f64) {
    eventually("requests wait", || {
        (gateway.metric("gatewright_cache_waiting") == count).then_some(())
    });
}

#[test]
fn many_that_ask_at_once_are_one_request_to_the_upstream() {
    let (origin, gate) = held(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "");
    let mut clients = ask(&gateway, 20, &[]);
    settle(&origin, 1);
    wait(&gateway, 19.0);
    gate.add_permits(1000);
    for client in &mut clients {
        let response = client.read_response();
        assert_eq!(response.text(), "hello");
    }
    assert_eq!(origin.hits(), 1);
    assert_eq!(gateway.metric("gatewright_cache_requests_total{result=\"hit\"}"), 19.0);
}

#[test]
fn what_is_to_be_asked_about_each_time_is_asked_about_once_for_all_that_wait() {
    let (origin, gate) = held(&[("cache-control", "no-cache"), ("etag", "\"a\"")]);
    let gateway = gateway(&origin, "");
    gate.add_permits(1);
    get(&gateway, "/a", &[]);
    let mut clients = ask(&gateway, 20, &[]);
    settle(&origin, 2);
    wait(&gateway, 19.0);
    gate.add_permits(1000);
    for client in &mut clients {
        assert_eq!(client.read_response().text(), "hello");
    }
    assert_eq!(origin.hits(), 2);
}

#[test]
fn c30_who_waits_for_a_slow_leader_goes_itself_when_its_time_is_over() {
    let (origin, gate) = held(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "wait = \"100ms\"");
    let mut clients = ask(&gateway, 5, &[]);
    // Nobody has been answered, and all of them ask for themselves.
    settle(&origin, 5);
    gate.add_permits(1000);
    for client in &mut clients {
        assert_eq!(client.read_response().text(), "hello");
    }
}

#[test]
fn c30_when_the_leader_leaves_another_one_leads() {
    let (origin, gate) = held(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "wait = \"20s\"");
    let mut leader = ask(&gateway, 1, &[]);
    settle(&origin, 1);
    let mut followers = ask(&gateway, 10, &[]);
    wait(&gateway, 10.0);
    // Who closes its side sooner after its request has only said that there is no other (C10).
    assert!(leader[0].is_silent_for(Duration::from_millis(150)));
    drop(leader);
    settle(&origin, 2);
    wait(&gateway, 9.0);
    gate.add_permits(1000);
    for client in &mut followers {
        assert_eq!(client.read_response().text(), "hello");
    }
    assert_eq!(origin.hits(), 2);
}

#[test]
fn c30_what_cannot_be_kept_is_not_fetched_one_after_another() {
    let (origin, gate) = held(&[("cache-control", "no-store")]);
    let gateway = gateway(&origin, "wait = \"20s\"");
    let mut clients = ask(&gateway, 10, &[]);
    settle(&origin, 1);
    wait(&gateway, 9.0);
    gate.add_permits(1);
    // The others do not wait for each other: all of them are with the origin before it answers one of them.
    settle(&origin, 10);
    gate.add_permits(1000);
    for client in &mut clients {
        assert_eq!(client.read_response().text(), "hello");
    }
    // And for a while nobody waits at all.
    let before = origin.hits();
    let _more = ask(&gateway, 3, &[]);
    settle(&origin, before + 3);
}

#[test]
fn c30_variants_are_not_fetched_one_after_another() {
    let (origin, gate) = held(&[("cache-control", "max-age=60"), ("vary", "accept-language")]);
    let gateway = gateway(&origin, "wait = \"20s\"");
    let mut clients: Vec<_> = (0..8)
        .flat_map(|number| ask(&gateway, 1, &[("accept-language", &format!("l{number}"))]))
        .collect();
    settle(&origin, 1);
    wait(&gateway, 7.0);
    gate.add_permits(1);
    settle(&origin, 8);
    gate.add_permits(1000);
    for client in &mut clients {
        assert_eq!(client.read_response().text(), "hello");
    }
}

#[test]
fn what_is_changed_while_it_is_fetched_is_not_kept() {
    let gate = Arc::new(Semaphore::new(0));
    let let_through = Arc::clone(&gate);
    let origin = Origin::start(move |request| {
        let gate = Arc::clone(&let_through);
        async move {
            if request.method() == "GET" {
                gate.acquire().await.unwrap().forget();
            }
            Response::builder()
                .header("cache-control", "max-age=60")
                .body(full("hello"))
                .unwrap()
        }
    });
    let gateway = gateway(&origin, "");
    let mut reader = ask(&gateway, 1, &[]);
    settle(&origin, 1);
    assert_eq!(
        gatewright_tests::http(gateway.addr("public"), "POST", "/a", &[], b"x").status,
        200
    );
    gate.add_permits(1000);
    assert_eq!(reader[0].read_response().status, 200);
    assert!(status(&get(&gateway, "/a", &[])).contains("fwd=uri-miss"));
}

#[test]
fn who_wants_a_part_or_has_something_does_not_make_others_wait() {
    let (origin, gate) = held(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "wait = \"20s\"");
    let _part = ask(&gateway, 1, &[("range", "bytes=0-1")]);
    settle(&origin, 1);
    let _conditional = ask(&gateway, 1, &[("if-none-match", "\"a\"")]);
    settle(&origin, 2);
    let mut whole = ask(&gateway, 1, &[]);
    settle(&origin, 3);
    gate.add_permits(1000);
    assert_eq!(whole[0].read_response().text(), "hello");
}
