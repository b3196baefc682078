//! The `correlation-id` stage end to end: one id for client, log and upstream.

use gatewright_tests::{Origin, TestGateway, http};

use crate::setup::passing_with;

fn gateway(origin: &Origin, listener: &str, settings: &str) -> TestGateway {
    let chain = format!("chain = [{{ use = \"correlation-id\"{settings} }}]");
    TestGateway::start(&passing_with(&origin.url(), listener, &chain))
}

/// The ids that client, upstream and access log see, which are one.
fn id(gateway: &TestGateway, origin: &Origin, header: &str, sent: &[(&str, &str)]) -> String {
    let before = origin.hits();
    let response = http(gateway.addr("public"), "GET", "/a", sent, b"");
    let id = response.header(header).unwrap().to_owned();
    let records = gateway.wait_for_records(before + 1);
    assert_eq!(records[before]["correlation_id"], id.as_str());
    assert_eq!(origin.requests()[before].headers[header], id.as_str());
    id
}

#[test]
fn a_request_has_one_id_that_the_client_may_choose_if_it_is_well_formed() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "", "");
    let header = "x-correlation-id";
    assert_eq!(id(&gateway, &origin, header, &[(header, "order-42/a")]), "order-42/a");
    let made = id(&gateway, &origin, header, &[]);
    assert_eq!((made.len(), made.as_bytes()[14]), (36, b'7'), "{made}");
    let long = "x".repeat(129);
    for bad in ["a b", "<script>", "", long.as_str()] {
        assert_eq!(id(&gateway, &origin, header, &[(header, bad)]).len(), 36, "{bad}");
    }
    assert_eq!(id(&gateway, &origin, header, &[(header, "a"), (header, "b")]).len(), 36);
}

#[test]
fn only_trusted_proxies_are_believed_where_the_configuration_says_so() {
    let origin = Origin::saying("ok");
    let settings = ", header = \"X-Trace\", accept = \"trusted\", generate = \"request-id\"";
    let strangers = gateway(&origin, "", settings);
    let made = id(&strangers, &origin, "x-trace", &[("x-trace", "mine")]);
    assert_eq!(strangers.wait_for_records(1)[0]["request_id"], made.as_str());
    let origin = Origin::saying("ok");
    let proxied = gateway(&origin, "trusted_proxies = [\"127.0.0.0/8\"]", settings);
    assert_eq!(id(&proxied, &origin, "x-trace", &[("x-trace", "theirs")]), "theirs");
}

#[test]
fn nobody_is_told_where_the_configuration_says_so() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "", ", accept = \"none\", generate = \"uuid4\", echo = false");
    let response = http(
        gateway.addr("public"),
        "GET",
        "/a",
        &[("x-correlation-id", "mine")],
        b"",
    );
    assert_eq!(response.header("x-correlation-id"), None);
    let sent = origin.only_request().headers["x-correlation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!((sent.len(), sent.as_bytes()[14]), (36, b'4'), "{sent}");
}
