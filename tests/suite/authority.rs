//! C4, C6: one authority decides about everything, and names that another server could mix up are refused.

use gatewright_tests::{Origin, RawClient, TestGateway, http};

use crate::setup::{assert_refused, hello, listening, routed};

#[test]
fn c4_a_host_that_is_missing_doubled_or_odd_is_400() {
    let (gateway, origin) = hello();
    for head in [
        "GET /x HTTP/1.1",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: a",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: b",
        "GET /x HTTP/1.1\r\nHost: a,b",
        "GET /x HTTP/1.1\r\nHost: a b",
        "GET /x HTTP/1.1\r\nHost: user@h",
        "GET /x HTTP/1.1\r\nHost: h/path",
        "GET /x HTTP/1.1\r\nHost: h?q",
        "GET /x HTTP/1.1\r\nHost: h#f",
        "GET /x HTTP/1.1\r\nHost: h\\p",
        "GET /x HTTP/1.1\r\nHost: http://h",
        "GET /x HTTP/1.1\r\nHost: h:",
        "GET /x HTTP/1.1\r\nHost: h:80:80",
        "GET /x HTTP/1.1\r\nHost: h:99999",
        "GET /x HTTP/1.1\r\nHost: h:8a",
        "GET /x HTTP/1.1\r\nHost: [::1",
        "GET /x HTTP/1.1\r\nHost: ..",
        "GET /x HTTP/1.1\r\nHost: \u{e9}",
        "GET /x HTTP/1.1\r\nHost:",
        "GET http://a/x HTTP/1.1",
        "GET http://a/x HTTP/1.1\r\nHost: b",
        "GET http://a:80/x HTTP/1.1\r\nHost: a:81",
        "GET http://user@a/x HTTP/1.1\r\nHost: a",
        "GET http:///x HTTP/1.1\r\nHost: a",
    ] {
        assert_refused(&gateway, format!("{head}\r\n\r\n").as_bytes(), &[400]);
    }
    assert_eq!(origin.connections(), 0);
}

/// Route `a` says `a` to the host `a.example`, route `b` says `b` to all others.
fn two_hosts() -> TestGateway {
    TestGateway::start(&listening(
        r#"
        [[route]]
        name = "a"
        path = "/x"
        hosts = ["a.example"]
        integration = { respond = 200, body = "a" }

        [[route]]
        name = "b"
        path = "/x"
        integration = { respond = 200, body = "b" }
        "#,
    ))
}

#[test]
fn c4_an_absolute_target_and_its_host_choose_the_same_route() {
    let gateway = two_hosts();
    for (head, route) in [
        ("GET /x HTTP/1.1\r\nHost: a.example", "a"),
        ("GET /x HTTP/1.1\r\nHost: A.EXAMPLE:8080", "a"),
        ("GET http://a.example/x HTTP/1.1\r\nHost: a.example", "a"),
        ("GET http://A.example/x HTTP/1.1\r\nHost: a.EXAMPLE", "a"),
        ("GET http://c.example/x HTTP/1.1\r\nHost: c.example", "b"),
        ("GET /x HTTP/1.1\r\nHost: a.example.evil", "b"),
    ] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!("{head}\r\n\r\n"));
        assert_eq!(client.read_response().text(), route, "{head:?}");
    }
}

#[test]
fn c4_the_origin_sees_the_authority_that_chose_the_route() {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&routed(
        &origin.url(),
        r#"
        [[route]]
        name = "kept"
        path = "/kept"
        integration = { http = "app", preserve_host = true }

        [[route]]
        name = "own"
        path = "/own"
        integration = { http = "app" }
        "#,
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET http://api.example:81/kept HTTP/1.1\r\nHost: api.example:81\r\n\r\n");
    assert_eq!(client.read_response().status, 200);
    let host = [("Host", "api.example:81")];
    assert_eq!(client.request("GET", "/own", &host, b"").status, 200);
    let requests = origin.requests();
    assert_eq!(requests[0].target, "/kept", "the absolute form ends at the gateway");
    assert_eq!(requests[0].headers["host"], "api.example:81");
    assert_eq!(requests[1].headers["host"], origin.addr().to_string());
    for request in requests {
        assert_eq!(request.headers.get_all("host").iter().count(), 1);
        assert_eq!(request.headers["x-forwarded-host"], "api.example:81");
    }
}

#[test]
fn c6_a_field_name_with_an_underscore_is_400() {
    let (gateway, origin) = hello();
    for name in ["x_user", "X_FORWARDED_FOR", "content_length", "_"] {
        let response = http(gateway.addr("public"), "GET", "/x", &[(name, "1")], b"");
        assert_eq!(
            (response.status, response.error()),
            (400, Some("BAD_REQUEST")),
            "{name}"
        );
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c6_what_the_gateway_vouches_for_is_no_trailer_of_the_clients_either() {
    let (gateway, origin) = hello();
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nTrailer: x-sum, x-forwarded-for, forwarded, via\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nX-Forwarded-For: 203.0.113.9\r\n\
         Forwarded: for=203.0.113.9\r\nVia: 1.1 other\r\n\r\n",
    );
    assert_eq!(client.read_response().status, 200);
    let trailers = origin.only_request().trailers;
    assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
}

#[test]
fn fields_that_belong_to_the_connection_end_at_the_gateway() {
    let (gateway, origin) = hello();
    let fields = [
        ("Connection", "keep-alive, x-secret, x-other"),
        ("X-Secret", "1"),
        ("X-Other", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "gzip;q=0.5"),
        ("Upgrade", "h2c"),
        ("X-Kept", "1"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    for name in [
        "connection",
        "x-secret",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
    ] {
        assert!(!headers.contains_key(name), "{name}: {headers:?}");
    }
    assert_eq!(headers["x-kept"], "1");
}
