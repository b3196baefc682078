//! U6 and U14: response header fields, many of them and odd ones.

use gatewright_tests::{H2Client, Origin, RawOrigin, empty, full, http, with_trailers};
use http::{HeaderMap, HeaderValue, Request, Response};

use super::{proxy, proxy_to};

fn answering_with(fields: &str) -> RawOrigin {
    RawOrigin::answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 2\r\n\r\nok"))
}

#[test]
fn u6_header_bytes_over_the_limit_are_502_and_below_it_pass() {
    for (bytes, status) in [(15_000, 200), (17_000, 502), (200_000, 502)] {
        let one = answering_with(&format!("X-Big: {}", "b".repeat(bytes)));
        let fields: Vec<String> = (0..bytes / 500)
            .map(|number| format!("X-{number}: {}", "b".repeat(492)))
            .collect();
        let many = answering_with(&fields.join("\r\n"));
        for origin in [one, many] {
            let gateway = proxy_to(&[&origin.url()], "header_bytes = \"16KiB\"\nheader_count = 1000", "");
            let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
            assert_eq!(response.status, status, "{bytes} bytes");
            assert_eq!(response.error(), (status == 502).then_some("INTEGRATION_FAILURE"));
        }
    }
}

#[test]
fn u6_fields_over_the_limit_are_502_and_at_it_pass() {
    for (count, status) in [(199, 200), (200, 502), (1000, 502)] {
        // `Content-Length` is one more.
        let fields: Vec<String> = (0..count).map(|number| format!("X-{number}: a")).collect();
        let origin = answering_with(&fields.join("\r\n"));
        let gateway = proxy(&origin.url());
        let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
        assert_eq!(response.status, status, "{count} fields and Content-Length");
    }
}

#[test]
fn u6_cookies_are_kept_apart_and_in_order() {
    let cookies: Vec<String> = (0..150).map(|number| format!("c{number}=a, b; Path=/")).collect();
    let fields: Vec<String> = cookies.iter().map(|cookie| format!("Set-Cookie: {cookie}")).collect();
    let origin = answering_with(&fields.join("\r\n"));
    let gateway = proxy(&origin.url());
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!(response.header_values("set-cookie"), cookies);
    let mut client = H2Client::connect(gateway.addr("public"));
    let response = client.send(Request::get("http://a/x").body(empty()).unwrap()).unwrap();
    let got: Vec<&HeaderValue> = response.headers.get_all("set-cookie").iter().collect();
    assert_eq!(got, cookies.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn u14_fields_of_the_upstreams_connection_end_here() {
    let origin = answering_with(
        "Connection: close, X-Secret\r\nConnection: x-other\r\nX-Secret: 1\r\nX-Other: 2\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: close\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Kept: yes",
    );
    let gateway = proxy(&origin.url());
    let mut client = gatewright_tests::RawClient::connect(gateway.addr("public"));
    // Twice over one connection: that the upstream closes its own is not the client's business.
    for _ in 0..2 {
        let response = client.request("GET", "/x", &[], b"");
        assert_eq!(response.header("x-kept"), Some("yes"));
        for name in [
            "connection",
            "x-secret",
            "x-other",
            "keep-alive",
            "proxy-connection",
            "te",
            "upgrade",
        ] {
            assert_eq!(response.header(name), None, "{name}: {response:?}");
        }
    }
    let mut client = H2Client::connect(gateway.addr("public"));
    let response = client.send(Request::get("http://a/x").body(empty()).unwrap()).unwrap();
    let names: Vec<&str> = response.headers.keys().map(http::HeaderName::as_str).collect();
    assert!(names.contains(&"x-kept"));
    assert!(
        ["connection", "x-secret", "upgrade", "te"]
            .iter()
            .all(|name| !names.contains(name)),
        "{names:?}"
    );
}

#[test]
fn u14_a_field_that_is_named_by_connection_but_frames_the_message_is_no_way_to_break_it() {
    let origin = answering_with("Connection: content-length, transfer-encoding, close");
    let gateway = proxy(&origin.url());
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
}

#[test]
fn u14_trailers_pass_without_what_must_not_be_among_them() {
    let origin = Origin::start(|_| async {
        let mut trailers = HeaderMap::new();
        for name in [
            "x-sum",
            "content-length",
            "authorization",
            "set-cookie",
            "transfer-encoding",
        ] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        Response::builder()
            .header("trailer", "x-sum, content-length, authorization, set-cookie")
            .body(with_trailers("body", trailers))
            .unwrap()
    });
    let gateway = proxy(&origin.url());
    let response = http(gateway.addr("public"), "GET", "/x", &[("te", "trailers")], b"");
    assert_eq!(response.header("trailer"), Some("x-sum"));
    assert_eq!(
        (response.text().as_str(), &response.trailers[..]),
        ("body", &[("x-sum".to_owned(), "1".to_owned())][..])
    );
    let mut client = H2Client::connect(gateway.addr("public"));
    let request = Request::get("http://a/x")
        .header("te", "trailers")
        .body(empty())
        .unwrap();
    let response = client.send(request).unwrap();
    assert_eq!(response.body, "body");
    assert_eq!(
        response
            .trailers
            .keys()
            .map(http::HeaderName::as_str)
            .collect::<Vec<_>>(),
        ["x-sum"]
    );
}

#[test]
fn a_response_says_nothing_of_the_gateway_that_the_upstream_did_not_say() {
    let origin = Origin::start(|_| async { Response::builder().header("server", "theirs").body(full("ok")).unwrap() });
    let gateway = proxy(&origin.url());
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!(response.header("server"), Some("theirs"));
    let own: Vec<&(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| name.to_lowercase().contains("gatewright"))
        .collect();
    assert!(own.is_empty(), "{own:?}");
}
