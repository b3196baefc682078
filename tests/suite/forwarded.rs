//! C31: who the client is, as far as it can be believed, and requests that go in a circle.

use gatewright_tests::{H2Client, TestGateway, http};
use http::Request;

use crate::setup::{hello, hello_with};

const FORGED: [(&str, &str); 7] = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=203.0.113.9;proto=https;host=evil.example"),
    ("X-Forwarded-For", "203.0.113.10"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Prefix", "/admin"),
];

#[test]
fn c31_what_a_stranger_says_of_its_way_is_replaced() {
    let (gateway, origin) = hello();
    let fields = [&FORGED[..], &[("Host", "api.example")]].concat();
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    let addresses: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(addresses, ["127.0.0.1"]);
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "api.example");
    for name in ["forwarded", "x-forwarded-port", "x-forwarded-prefix"] {
        assert!(!headers.contains_key(name), "{name}: {headers:?}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["client"], "127.0.0.1");
}

#[test]
fn c31_a_trusted_proxy_is_believed_and_added_to() {
    let (gateway, origin) = hello_with("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let fields = [
        ("X-Forwarded-For", "198.51.100.1, 203.0.113.9"),
        ("X-Forwarded-For", "10.1.2.3"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    assert_eq!(
        headers["x-forwarded-for"],
        "198.51.100.1, 203.0.113.9, 10.1.2.3, 127.0.0.1"
    );
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "api.example");
    // The nearest that is not a trusted proxy; what that one said about others proves nothing.
    assert_eq!(gateway.wait_for_records(1)[0]["client"], "203.0.113.9");
}

#[test]
fn c31_other_proxies_in_via_are_kept_and_this_one_is_added() {
    let (gateway, origin) = hello();
    let fields = [("Via", "1.0 fred"), ("Via", "1.1 gatewright-other")];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    let via: Vec<_> = headers
        .get_all("via")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(via[..2], ["1.0 fred", "1.1 gatewright-other"]);
    assert!(via[2].starts_with("1.1 gatewright-"), "{via:?}");
    assert_eq!(via.len(), 3);
}

/// A gateway that is its own upstream.
fn circle() -> TestGateway {
    let config = |integration: &str| {
        format!(
            "[listener.public]\naddress = \"127.0.0.1:0\"\n{integration}\n[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\n"
        )
    };
    let gateway = TestGateway::start(&(config("") + "integration = { respond = 200 }\n"));
    let upstream = format!(
        "[upstream.itself]\ntargets = [{{ url = \"{}\" }}]",
        gateway.url("public")
    );
    gateway.rewrite_config(&(config(&upstream) + "integration = { http = \"itself\" }\n"));
    gateway.reload().unwrap();
    gateway
}

#[test]
fn c31_a_request_that_goes_in_a_circle_is_508_after_a_few_rounds() {
    let gateway = circle();
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (508, Some("LOOP_DETECTED")));
    // The one that noticed, and those whose upstream it was.
    let records = gateway.wait_for_records(2);
    assert!(records.len() <= 6, "{} rounds", records.len());
}

#[test]
fn c31_a_circle_is_noticed_over_http_2_too() {
    let gateway = circle();
    let request = Request::get("http://localhost/x")
        .body(gatewright_tests::empty())
        .unwrap();
    let response = H2Client::connect(gateway.addr("public")).send(request).unwrap();
    assert_eq!(
        (response.status.as_u16(), response.error()),
        (508, Some("LOOP_DETECTED"))
    );
}
