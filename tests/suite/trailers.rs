//! C18: fields behind a body are passed on both ways, but none that says what a header section has to say.

use gatewright_tests::{H2Frames, Origin, RawClient, RawOrigin, TestGateway};

use crate::setup::{hello, hello_with, passing, passing_with};

/// Fields that frame, route, modify, authenticate or control (RFC 9110, section 6.5.1), also with an underscore.
const FORBIDDEN: [&str; 25] = [
    "content-length",
    "transfer-encoding",
    "host",
    "range",
    "if-match",
    "if-none-match",
    "if-range",
    "if-modified-since",
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "cache-control",
    "expect",
    "max-forwards",
    "te",
    "content-type",
    "content-encoding",
    "content-range",
    "x-forwarded-host",
    "x-real-ip",
    "location",
    "x_real_ip",
    "content_length",
    "trailer",
];

fn announcing() -> String {
    format!("x-sum, {}", FORBIDDEN.join(", "))
}

fn section() -> String {
    let fields: String = FORBIDDEN.iter().map(|name| format!("{name}: 1\r\n")).collect();
    format!("{fields}X-Sum: 1\r\n")
}

#[test]
fn c18_a_trailer_of_a_request_is_passed_on_and_none_that_belongs_into_the_header_section() {
    let (gateway, origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(format!(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nTrailer: {}\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nab\r\n0\r\n{}\r\n",
        announcing(),
        section()
    ));
    assert_eq!(client.read_response().status, 200);
    let request = origin.only_request();
    assert_eq!(request.trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
    assert_eq!(request.headers["trailer"], "x-sum");
}

#[test]
fn c18_over_http_2_the_same_trailers_of_a_request_are_passed_on() {
    let (gateway, origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    let announcing = announcing();
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/x"),
        ("trailer", announcing.as_str()),
    ];
    let names = FORBIDDEN
        .into_iter()
        .filter(|name| !matches!(*name, "transfer-encoding" | "te" | "content-length"));
    let trailers: Vec<_> = names.map(|name| (name, "1")).chain([("x-sum", "1")]).collect();
    let outcome = client
        .headers(1, &head, false)
        .data(1, b"ab", false)
        .headers(1, &trailers, true)
        .outcome(1);
    assert_eq!(outcome.status(), Some(200));
    let request = origin.only_request();
    assert_eq!(request.trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
}

/// All that a client that takes trailers gets of this origin's answer, in lower case.
fn answer_through_the_gateway(origin: &RawOrigin) -> String {
    let gateway = TestGateway::start(&passing(&origin.url()));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /x HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: close, te\r\n\r\n");
    String::from_utf8(client.read_to_end(std::time::Duration::from_secs(5)))
        .unwrap()
        .to_lowercase()
}

#[test]
fn c18_a_trailer_of_a_response_is_passed_on_and_none_that_belongs_into_the_header_section() {
    let origin = RawOrigin::answering(format!(
        "HTTP/1.1 200 OK\r\nTrailer: {}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n{}\r\n",
        announcing(),
        section()
    ));
    let text = answer_through_the_gateway(&origin);
    assert!(text.contains("\r\ntrailer: x-sum\r\n"), "{text}");
    assert!(text.ends_with("\r\n0\r\nx-sum: 1\r\n\r\n"), "{text}");
}

#[test]
fn c18_a_trailer_with_an_underscore_is_passed_on_where_fields_with_one_are() {
    for (listener, passes) in [
        ("", false),
        ("underscores = \"drop\"", false),
        ("underscores = \"accept\"", true),
    ] {
        let (gateway, origin) = hello_with(listener);
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(
            "POST /x HTTP/1.1\r\nHost: localhost\r\nTrailer: X_Sum, x-sum, x_real_ip\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nab\r\n0\r\nX_Sum: 1\r\nX-Sum: 2\r\nX_Real_IP: 192.0.2.7\r\n\r\n",
        );
        assert_eq!(client.read_response().status, 200);
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/x"),
            ("trailer", "x_sum, x-sum, x_real_ip"),
        ];
        let trailers = [("x_sum", "1"), ("x-sum", "2"), ("x_real_ip", "192.0.2.7")];
        let mut client = H2Frames::connect(gateway.addr("public"));
        client
            .headers(1, &head, false)
            .data(1, b"ab", false)
            .headers(1, &trailers, true);
        assert_eq!(client.outcome(1).status(), Some(200));
        let requests = origin.requests();
        assert_eq!(requests.len(), 2);
        for request in requests {
            let mut names: Vec<_> = request.trailers.keys().map(|name| name.as_str()).collect();
            names.sort_unstable();
            let (expected, announced) = match passes {
                true => (&["x-sum", "x_sum"][..], "x_sum, x-sum"),
                false => (&["x-sum"][..], "x-sum"),
            };
            assert_eq!(names, expected, "{listener}");
            assert_eq!(request.headers["trailer"], announced);
        }
    }
}

#[test]
fn c18_what_an_upstream_calls_its_trailers_is_left_to_it_as_in_the_header_section() {
    let origin = RawOrigin::answering(
        "HTTP/1.1 200 OK\r\nX_Field: 1\r\nTrailer: X_Sum, Content_Length\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\nX_Sum: 1\r\nContent_Length: 5\r\n\r\n"
            .to_owned(),
    );
    let text = answer_through_the_gateway(&origin);
    assert!(
        text.contains("\r\nx_field: 1\r\n") && text.contains("\r\ntrailer: x_sum\r\n"),
        "{text}"
    );
    assert!(text.ends_with("\r\n0\r\nx_sum: 1\r\n\r\n"), "{text}");
}

#[test]
fn c18_a_trailer_never_says_again_what_the_header_section_says() {
    let origin = Origin::saying("hello");
    let route = "[route.integration]\nhttp = \"app\"\nheaders = { x-user = \"nobody\" }";
    let config = passing_with(&origin.url(), "", "").replace("integration = { http = \"app\" }", route);
    let gateway = TestGateway::start(&config);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nX-Own: 1\r\nTrailer: x-sum, x-user, x-own\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nX-User: admin\r\nX-Own: 2\r\n\r\n",
    );
    assert_eq!(client.read_response().status, 200);
    let request = origin.only_request();
    assert_eq!(request.headers["x-user"], "nobody");
    assert_eq!(request.trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
}
