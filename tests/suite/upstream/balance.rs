//! Requests among the targets of an upstream.

use std::sync::Arc;

use gatewright_tests::{Origin, RawClient, TestGateway, http};

use super::{config, proxy_to, refusing};

#[test]
fn each_target_gets_its_share_by_weight() {
    let (heavy, light) = (Origin::saying("heavy"), Origin::saying("light"));
    let targets = [
        format!("{{ url = \"{}\", weight = 3 }}", heavy.url()),
        format!("{{ url = \"{}\" }}", light.url()),
    ];
    let gateway = proxy_to(&[&targets[0], &targets[1]], "", "");
    let mut client = RawClient::connect(gateway.addr("public"));
    for _ in 0..40 {
        assert_eq!(client.request("GET", "/x", &[], b"").status, 200);
    }
    assert_eq!((heavy.hits(), light.hits()), (30, 10));
    let named = |origin: &Origin| {
        let records = gateway.wait_for_records(40);
        records
            .iter()
            .filter(|record| record["upstream"] == origin.url())
            .count()
    };
    assert_eq!((named(&heavy), named(&light)), (30, 10));
}

#[test]
fn when_no_target_can_be_reached_the_answer_is_503() {
    let ((_one, first), (_two, second)) = (refusing(), refusing());
    let gateway = proxy_to(&[&format!("http://{first}"), &format!("http://{second}")], "", "");
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (503, Some("UPSTREAM_UNAVAILABLE")));
}

#[test]
fn connections_are_kept_by_each_worker_for_itself_and_never_mixed_up() {
    let origin = Arc::new(Origin::start(|request| async move {
        http::Response::new(gatewright_tests::full(request.uri().path().to_owned()))
    }));
    let text = config(&[&origin.url()], "", "").replace("workers = 1", "workers = 4");
    let gateway = Arc::new(TestGateway::start(&text));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let addr = gateway.addr("public");
            std::thread::spawn(move || {
                let mut client = RawClient::connect(addr);
                for number in 0..200 {
                    let path = format!("/{thread}/{number}");
                    assert_eq!(client.request("GET", &path, &[], b"").text(), path);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(origin.hits(), 1600);
    assert!(
        origin.connections() <= 8,
        "{}: no more than requests at once",
        origin.connections()
    );
}
