//! The harness itself works: a request goes through the gateway and comes back.

use gatewright_tests::http;

use crate::setup::hello;

#[test]
fn a_request_reaches_the_origin_and_its_answer_comes_back() {
    let (gateway, origin) = hello();
    let response = http(gateway.addr("public"), "GET", "/x?y=1", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(origin.only_request().target, "/x?y=1");
    let records = gateway.wait_for_records(1);
    assert_eq!(records[0]["status"], 200);
    assert_eq!(
        gateway.metric("gatewright_requests_total{route=\"all\",status=\"200\"}"),
        1.0
    );
}
