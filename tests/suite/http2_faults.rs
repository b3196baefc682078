//! C4, C18: HTTP/2 that no library would send is never rewritten into bytes of HTTP/1.

use gatewright_tests::frames::{END_HEADERS, END_STREAM, StreamOutcome, frame};
use gatewright_tests::{H2Client, H2Frames, Origin, TestGateway, empty, eventually, http};
use http::Request;
use http::header::{HeaderName, HeaderValue};

use crate::setup::{hello, hello_with};

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", "/x"),
];

/// The stream is reset, the connection given up, or the request answered 400; the origin sees nothing of it.
fn assert_refused(gateway: &TestGateway, origin: &Origin, fields: &[(&str, &str)]) {
    let mut client = H2Frames::connect(gateway.addr("public"));
    let outcome = client.headers(1, fields, true).outcome(1);
    let refused = match &outcome {
        StreamOutcome::Reset(code) | StreamOutcome::GoAway(code) => *code != 0,
        StreamOutcome::Answered(_) => outcome.status() == Some(400),
        StreamOutcome::Closed => true,
    };
    assert!(refused, "{fields:?}: {outcome:?}");
    assert_eq!(origin.connections(), 0, "{fields:?}");
}

#[test]
fn c18_fields_that_break_http_2_are_refused() {
    let (gateway, origin) = hello();
    for odd in [
        ("X-Upper", "1"),
        ("x y", "1"),
        ("", "1"),
        ("x:y", "1"),
        ("x\r\ny", "1"),
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", "a\u{1}b"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
        (":path", "/y"),
        (":status", "200"),
        (":odd", "1"),
        ("x_y", "1"),
        ("x", "\tpadded"),
        ("x", "padded\t"),
        ("x", " padded"),
        ("x", "padded "),
        ("cookie", "a=1 "),
        ("content-length", " 0"),
    ] {
        assert_refused(&gateway, &origin, &[&GET[..], &[odd]].concat());
    }
}

#[test]
fn c18_pseudo_fields_that_are_odd_missing_or_late_are_refused() {
    let (gateway, origin) = hello();
    let with = |name: &'static str, value: &'static str| {
        GET.map(|field| if field.0 == name { (name, value) } else { field })
            .to_vec()
    };
    let without = |name: &str| GET.into_iter().filter(|field| field.0 != name).collect::<Vec<_>>();
    let mut late = without(":path");
    late.extend([("x", "1"), (":path", "/x")]);
    for fields in [
        with(":path", "/x y"),
        with(":path", "/x HTTP/1.1\r\nX: 1\r\n\r\n"),
        with(":path", "/x\r\ny"),
        with(":path", "x"),
        with(":path", ""),
        with(":path", "*"),
        with(":path", "http://localhost/x"),
        with(":path", "/a/..%2fb"),
        with(":method", "G T"),
        with(":method", "GET / HTTP/1.1\r\nX: y"),
        with(":method", ""),
        with(":authority", "a b"),
        with(":authority", "user@localhost"),
        with(":authority", "a,b"),
        with(":authority", ""),
        without(":method"),
        without(":path"),
        without(":scheme"),
        without(":authority"),
        late,
    ] {
        assert_refused(&gateway, &origin, &fields);
    }
}

#[test]
fn c18_a_path_that_has_a_fragment_or_no_slash_is_refused_as_over_http_1() {
    let (gateway, origin) = hello();
    for path in [
        "/x#y",
        "/x?y#z",
        "#",
        "#/x",
        "/#",
        "/x#",
        "?",
        "?x=y",
        "*",
        "x",
        "http://localhost/x",
    ] {
        assert_refused(&gateway, &origin, &[GET[0], GET[1], GET[2], (":path", path)]);
        assert_refused(
            &gateway,
            &origin,
            &[GET[0], GET[1], (":path", path), ("host", "localhost")],
        );
    }
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["status"], &record["cause"]),
        (&400.into(), &"fragment in the request target".into())
    );
}

#[test]
fn c18_a_fragment_is_refused_however_the_path_is_compressed_and_other_streams_go_on() {
    let (gateway, origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    // `GET`, `http`, and `localhost` by the static table's name, which becomes an entry.
    let lead = [&[0x82, 0x86, 0x41, 9][..], b"localhost"].concat();
    let blocks: [(&[u8], u16); 10] = [
        (b"\x44\x02/x", 200),
        (b"\xbe", 200),
        (b"\x44\x04/x#y", 400),
        // Once more, by its entry, and the entry before it.
        (b"\xbe", 400),
        (b"\xbf", 200),
        // By its name alone.
        (b"\x0f\x30\x04/x#y", 400),
        (b"\x0f\x30\x02/x", 200),
        // In Huffman's code: `/a#b`, `/a`.
        (b"\x04\x84\x60\x7f\xf5\x1f", 400),
        (b"\x04\x82\x60\x7f", 200),
        (b"\x00\x05:path\x03/#y", 400),
    ];
    let mut stream = 1;
    for (path, status) in blocks {
        // The first of them is behind `localhost`; those after it, behind what is newer.
        let block = match stream {
            1 => [&lead[..], path].concat(),
            _ => [&[0x82, 0x86][..], b"\x01\x09localhost", path].concat(),
        };
        client.send(frame::HEADERS, END_HEADERS | END_STREAM, stream, &block);
        assert_eq!(client.outcome(stream).status(), Some(status), "{path:x?}");
        stream += 2;
    }
    assert!(origin.requests().iter().all(|request| !request.target.contains('#')));
    assert_eq!(origin.hits(), 5);
}

#[test]
fn c18_whatever_else_a_client_compresses_is_served() {
    let (gateway, origin) = hello();
    let mut client = H2Client::connect(gateway.addr("public"));
    for number in 0..400usize {
        let mut request = Request::get(format!("http://localhost/{}?q={number}", "p".repeat(number % 90)))
            .header("referer", format!("http://localhost/page#{number}"))
            .body(empty())
            .unwrap();
        // New names and values, long and short, and some that were there before: entries come and go.
        for field in 0..number % 7 {
            let name = format!("x-{}-{}", (number * 7 + field) % 97, "n".repeat(field * 11));
            let value = format!("{}#{}~{{}}\u{e9}", "v".repeat((number * 31) % 400), number % 13);
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request
                .headers_mut()
                .insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let response = client.send(request).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(response.status, 200, "{number}");
    }
    assert_eq!(origin.hits(), 400);
}

#[test]
fn c4_an_authority_that_differs_from_host_is_refused() {
    let (gateway, origin) = hello();
    assert_refused(&gateway, &origin, &[&GET[..], &[("host", "other")]].concat());
    assert_refused(
        &gateway,
        &origin,
        &[&GET[..], &[("host", "localhost"), ("host", "localhost")]].concat(),
    );
}

#[test]
fn c18_a_length_that_the_data_contradicts_is_refused() {
    let (gateway, origin) = hello();
    let post = [(":method", "POST"), GET[1], GET[2], GET[3], ("content-length", "5")];
    for body in [&b"hell"[..], b"hello!"] {
        let mut client = H2Frames::connect(gateway.addr("public"));
        let outcome = client.headers(1, &post, false).data(1, body, true).outcome(1);
        let refused = match &outcome {
            StreamOutcome::Reset(code) | StreamOutcome::GoAway(code) => *code != 0,
            StreamOutcome::Answered(_) => outcome.status() == Some(400),
            StreamOutcome::Closed => true,
        };
        assert!(refused, "{body:?}: {outcome:?}");
    }
    for length in ["+5", "5,5", "-1", "0x5", "5 5", "05", "5\t", ""] {
        let mut client = H2Frames::connect(gateway.addr("public"));
        let fields = [post[0], GET[1], GET[2], GET[3], ("content-length", length)];
        let outcome = client.headers(1, &fields, false).data(1, b"hello", true).outcome(1);
        assert!(
            outcome.status().is_none_or(|status| status == 400),
            "{length}: {outcome:?}"
        );
    }
    eventually("what reached the origin has broken off", || {
        origin.requests().iter().all(|request| !request.complete).then_some(())
    });
}

#[test]
fn c18_a_length_that_is_said_twice_is_refused_however_often_it_is_the_same() {
    let (gateway, origin) = hello();
    let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
    for lengths in [["0", "0"], ["0", "00"]] {
        let lengths = lengths.map(|length| ("content-length", length));
        assert_refused(&gateway, &origin, &[&post[..], &lengths].concat());
    }
    let records = gateway.wait_for_records(2);
    assert!(
        records
            .iter()
            .all(|record| record["cause"] == "repeated Content-Length"),
        "{records:?}"
    );
}

#[test]
fn c18_cookies_reach_the_origin_as_one_field_however_they_were_cut() {
    let (gateway, origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    let crumbs = [("cookie", "a=1"), ("x", "1"), ("cookie", "b=2; c=3"), ("cookie", "d=4")];
    let outcome = client.headers(1, &[&GET[..], &crumbs].concat(), true).outcome(1);
    assert_eq!(outcome.status(), Some(200));
    let http1 = [("Cookie", "a=1"), ("X", "1"), ("Cookie", "b=2; c=3"), ("cookie", "d=4")];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &http1, b"").status, 200);
    for request in origin.requests() {
        let cookies: Vec<_> = request.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
    }
}

#[test]
fn c18_good_frames_are_served_so_the_others_were_refused_for_a_reason() {
    let (gateway, _origin) = hello();
    let mut client = H2Frames::connect(gateway.addr("public"));
    let fields = [&GET[..], &[("te", "trailers"), ("x", "1"), ("host", "localhost")]].concat();
    assert_eq!(client.headers(1, &fields, true).outcome(1).status(), Some(200));
    let post = [(":method", "POST"), GET[1], GET[2], GET[3], ("content-length", "5")];
    let outcome = client.headers(3, &post, false).data(3, b"hello", true).outcome(3);
    assert_eq!(outcome.status(), Some(200));
}

#[test]
fn c9_a_body_that_stops_coming_over_http_2_is_408() {
    let (gateway, origin) = hello_with("limits = { body_timeout = \"300ms\" }");
    let mut client = H2Frames::connect(gateway.addr("public"));
    let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
    let outcome = client.headers(1, &post, false).data(1, b"hello", false).outcome(1);
    assert_eq!(outcome.status(), Some(408), "{outcome:?}");
    // Other streams of the connection go on.
    assert_eq!(client.headers(3, &GET, true).outcome(3).status(), Some(200));
    assert!(origin.requests().iter().any(|request| !request.complete));
}

#[test]
fn c10_an_http_2_connection_without_a_stream_is_closed() {
    let (gateway, _origin) = hello_with("limits = { idle_timeout = \"300ms\" }");
    let mut client = H2Frames::connect(gateway.addr("public"));
    assert_eq!(client.headers(1, &GET, true).outcome(1).status(), Some(200));
    assert_eq!(client.outcome(3), StreamOutcome::Closed);
}
