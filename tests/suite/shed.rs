//! The `shed` stage end to end: what is slow is felt, and who is refused then.

use std::time::Duration;

use gatewright_tests::raw_client::RawClient;
use gatewright_tests::{Origin, TestGateway, endless, eventually, full, http};

#[test]
fn slow_responses_let_fewer_in_and_the_less_important_are_refused_first() {
    // Nothing is as fast as that, so that every response is too slow.
    let origin = Origin::start(|request| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let holds = request.uri().query() == Some("hold");
        hyper::Response::new(if holds { endless() } else { full("hello") })
    });
    let route = |name: &str| {
        format!(
            r#"
            [[route]]
            name = "{name}"
            path = "/{name}"
            chain = [{{ use = "shed", latency = "1ms", priority = "{name}", least = 4, most = 100 }}]
            integration = {{ http = "app" }}
            "#
        )
    };
    let gateway = TestGateway::start(&format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
         [upstream.app]\ntargets = [{{ url = \"{}\" }}]\n{}{}",
        origin.url(),
        route("low"),
        route("high")
    ));
    let addr = gateway.addr("public");
    let places = || gateway.metric("gatewright_shed_places{group=\"default\"}");
    assert_eq!(places(), 100.0);
    eventually("there are as few places as may be", || {
        assert_eq!(http(addr, "GET", "/low", &[], b"").status, 200);
        (places() == 4.0).then_some(())
    });
    // Responses that do not end hold their places: two are for low priority, four for high.
    let hold = |path: &str| {
        let mut client = RawClient::connect(addr);
        client.send(format!("GET {path}?hold HTTP/1.1\r\nhost: a\r\n\r\n"));
        let response = client.read_response_to_head();
        (response.status == 200).then_some(client).ok_or(response)
    };
    let mut held = vec![hold("/low").unwrap(), hold("/low").unwrap()];
    let refused = hold("/low").err().expect("low priority has two places");
    assert_eq!((refused.status, refused.error()), (503, Some("OVERLOADED")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    held.extend([hold("/high").unwrap(), hold("/high").unwrap()]);
    assert_eq!(hold("/high").err().expect("there are four places").status, 503);
    drop(held);
    eventually("the places are free", || hold("/low").ok().map(drop));
}
