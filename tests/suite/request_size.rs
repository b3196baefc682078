//! The `request-size` stage end to end.

use gatewright_tests::{Origin, RawClient, TestGateway, http};

use crate::setup::routed;

fn gateway(origin: &Origin, limits: &str) -> TestGateway {
    TestGateway::start(&routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"it\"\npath = \"/\"\nchain = [{{ use = \"request-size\", {limits} }}]\n\
             integration = {{ http = \"app\" }}\n"
        ),
    ))
}

#[test]
fn what_is_longer_than_it_may_be_is_refused_by_what_it_says_and_by_what_comes() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "body = \"10B\"");
    let address = gateway.addr("public");
    assert_eq!(http(address, "POST", "/", &[], b"0123456789").status, 200);
    assert_eq!(origin.only_request().body, b"0123456789");
    let refused = http(address, "POST", "/", &[], b"0123456789a");
    assert_eq!((refused.status, refused.error()), (413, Some("REQUEST_TOO_LARGE")));
    assert_eq!(origin.hits(), 1);
    let mut client = RawClient::connect(address);
    client.send(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n",
    );
    assert_eq!(client.read_response().status, 413);
    assert!(
        origin.requests().iter().skip(1).all(|request| !request.complete),
        "{:?}",
        origin.requests()
    );
}

#[test]
fn a_length_is_asked_for_and_query_and_fields_have_their_limits() {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "length_required = true, query = \"4B\", headers = \"200B\"");
    let address = gateway.addr("public");
    let mut client = RawClient::connect(address);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n");
    let refused = client.read_response();
    assert_eq!((refused.status, refused.error()), (411, Some("LENGTH_REQUIRED")));
    let long = "x".repeat(200);
    for (target, fields, expected) in [
        ("/?a=12", vec![], 200),
        ("/?a=123", vec![], 414),
        ("/", vec![("x-long", long.as_str())], 431),
    ] {
        assert_eq!(
            http(address, "POST", target, &fields, b"a").status,
            expected,
            "{target}"
        );
    }
    assert_eq!(origin.hits(), 1);
}
