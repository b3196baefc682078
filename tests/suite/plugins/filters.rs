//! P14, P27. Bodies that go through a plugin, whole ones and broken ones, with filters that behave and that do not.

mod flow;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use gatewright_tests::{
    H2Client, Origin, RawClient, TestFiles, TestGateway, channel, empty, eventually, full, guests, http, with_trailers,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::setup::{PATIENT, base, record, route};

const MIB: usize = 1 << 20;

/// The guest in this mode, for requests alone.
fn of_requests(mode: &str, stage: &str) -> String {
    format!("{{ plugin = \"filters-body\", config = {{ mode = \"{mode}\", only = \"requests\" }}{stage} }}")
}

/// The guest in this mode.
fn filter(mode: &str, stage: &str) -> String {
    format!("{{ plugin = \"filters-body\", config = {{ mode = \"{mode}\" }}{stage} }}")
}

fn files() -> TestFiles {
    TestFiles::default()
        .with_guests(&["filters-body"])
        .with("plugins/redact.wasm", guests::plugin("redact"))
}

fn config(app: &str, limits: &str, routes: &[String]) -> String {
    let app = format!("[upstream.app]\ntargets = [{{ url = \"{app}\" }}]\n");
    let base = base().replace(
        "address = \"127.0.0.1:0\"\n",
        "address = \"127.0.0.1:0\"\nlimits = { body = \"64GiB\" }\n",
    );
    [base, app, format!("[plugin.filters-body]\n{limits}\n"), routes.concat()].concat()
}

/// A gateway that passes `/MODE` on to the origin, through the guest in that mode.
fn start(origin: &Origin, limits: &str, modes: &[&str]) -> TestGateway {
    let routes: Vec<_> = modes
        .iter()
        .map(|mode| route(mode, &filter(mode, ""), "http = \"app\""))
        .collect();
    files().start(&config(&origin.url(), limits, &routes))
}

/// An origin that sends back what it gets.
fn echo() -> Origin {
    Origin::start(|request: Request<_>| async move {
        match request.into_body().collect().await {
            Ok(body) => Response::new(full(body.to_bytes())),
            Err(_) => Response::new(empty()),
        }
    })
}

#[test]
fn p14_bodies_are_filtered_both_ways_and_lose_their_length() {
    let origin = echo();
    let gateway = start(&origin, PATIENT, &["plain", "bypass", "collect", "swallow"]);
    let ask = |path: &str| http(gateway.addr("public"), "POST", path, &[], b"hello");
    let answer = ask("/plain");
    assert_eq!((answer.status, answer.text().as_str()), (200, "HELLO"), "{answer:?}");
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let sent = &origin.requests()[0];
    assert_eq!(sent.body, b"HELLO");
    assert!(
        sent.complete && !sent.headers.contains_key("content-length"),
        "{sent:?}"
    );
    let answer = ask("/bypass");
    assert_eq!(
        (answer.text().as_str(), answer.header("content-length")),
        ("hello", Some("5"))
    );
    assert_eq!(origin.requests()[1].headers["content-length"], "5");
    assert_eq!(ask("/collect").text(), "hello");
    assert_eq!(ask("/swallow").text(), "");
    // Whether the last bytes came with the last chunk, at the end, or never.
    for path in ["/plain", "/bypass", "/collect", "/swallow"] {
        assert_eq!(record(&gateway, path)["outcome"], "answered", "{path}");
    }
    // Each call is one: open, push and finish, of the request and of the response.
    let calls = "gatewright_plugin_calls_total{plugin=\"filters-body\",hook=\"body-filter\",outcome=\"ok\"}";
    assert_eq!(gateway.metric(calls), 6.0 + 2.0 + 6.0 + 3.0);
}

#[test]
fn p14_a_response_without_a_body_is_not_filtered() {
    let origin = Origin::start(|request: Request<_>| async move {
        let status = if request.uri().path().ends_with("204") {
            204
        } else {
            200
        };
        let response = Response::builder().status(status);
        match request.method().as_str() {
            "HEAD" => response.header("content-length", "5").body(empty()).unwrap(),
            _ => response.body(empty()).unwrap(),
        }
    });
    let gateway = start(&origin, PATIENT, &["open-trap"]);
    for (method, path, status) in [
        ("HEAD", "/open-trap", 200),
        ("GET", "/open-trap/204", 204),
        ("GET", "/open-trap", 200),
    ] {
        let answer = http(gateway.addr("public"), method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let length = answer.header("content-length");
        assert!(
            method != "HEAD" || length.is_none(),
            "nobody knows how long it would be: {answer:?}"
        );
    }
}

#[test]
fn p14_trailers_pass_a_filter() {
    let origin = Origin::start(|request: Request<_>| async move {
        let _ = request.into_body().collect().await;
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
        let response = Response::builder().header("trailer", "x-sum");
        response.body(with_trailers("hello", trailers)).unwrap()
    });
    let gateway = start(&origin, PATIENT, &["collect"]);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /collect HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: x-name\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-name: ada\r\n\r\n");
    let response = client.read_response();
    assert_eq!(response.text(), "hello");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    assert_eq!(record(&gateway, "/collect")["outcome"], "answered");
    let sent = origin.only_request();
    assert_eq!((sent.body.as_slice(), sent.complete), (&b"abc"[..], true));
    assert_eq!(sent.trailers["x-name"], "ada");
}

#[test]
fn p14_a_filter_that_fails_in_the_middle_of_a_request_ends_both_sides() {
    let origin = echo();
    let modes = [
        "trap",
        "fault",
        "finish-trap",
        "expand",
        "triple",
        "endless",
        "loop",
        "hoard",
    ];
    let limits = "time = \"10s\"\ncpu = \"50ms\"\noutput_bytes = \"8KiB\"";
    let routes = modes.map(|mode| route(mode, &of_requests(mode, ""), "http = \"app\""));
    let gateway = files().start(&config(&origin.url(), limits, &routes));
    for (mode, status, error) in [
        ("trap", 500, "PLUGIN_FAULT"),
        ("fault", 500, "PLUGIN_FAULT"),
        ("finish-trap", 500, "PLUGIN_FAULT"),
        ("expand", 500, "PLUGIN_OUTPUT_TOO_LARGE"),
        ("triple", 500, "PLUGIN_OUTPUT_TOO_LARGE"),
        ("endless", 500, "PLUGIN_OUTPUT_TOO_LARGE"),
        ("loop", 504, "PLUGIN_TIMEOUT"),
        ("hoard", 500, "PLUGIN_FAULT"),
    ] {
        let before = origin.hits();
        let path = format!("/{mode}");
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        let chunk = [b"2000\r\n", &[b'x'; 0x2000][..], b"\r\n"].concat();
        for _ in 0..4 {
            client.send(&chunk);
        }
        client.send("0\r\n\r\n");
        let answer = client.read_response();
        assert_eq!(
            (answer.status, answer.error()),
            (status, Some(error)),
            "{mode}: {answer:?}"
        );
        let record = record(&gateway, &path);
        let cause = record["cause"].as_str().unwrap();
        assert!(cause.contains("plugin `filters-body`"), "{mode}: {record}");
        // The upstream must not take what it got for the whole.
        for request in &origin.requests()[before..] {
            assert!(!request.complete, "{mode}: {} bytes", request.body.len());
        }
    }
    let alive = || gateway.metric("gatewright_plugin_instances{plugin=\"filters-body\",state=\"busy\"}");
    eventually("all instances are gone", || (alive() == 0.0).then_some(()));
}

#[test]
fn p14_a_request_that_breaks_off_is_answered_as_on_fault_says() {
    let origin = echo();
    let routes = [
        route(
            "status",
            &of_requests("finish-trap", ", on_fault = 503"),
            "http = \"app\"",
        ),
        route(
            "skip",
            &of_requests("finish-trap", ", on_fault = \"skip\""),
            "http = \"app\"",
        ),
        route(
            "opens",
            &of_requests("open-trap", ", on_fault = \"skip\""),
            "http = \"app\"",
        ),
        route("closed", &of_requests("open-fault", ""), "http = \"app\""),
    ];
    let gateway = files().start(&config(&origin.url(), PATIENT, &routes));
    let ask = |path: &str| http(gateway.addr("public"), "POST", path, &[], b"hello");
    assert_eq!((ask("/status").status, ask("/skip").status), (503, 500));
    // What the filter has not seen can pass by.
    let answer = ask("/opens");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(ask("/closed").status, 503);
    assert_eq!(origin.requests().iter().filter(|request| request.complete).count(), 1);
}

/// A gateway whose origin sends two pieces of a response, with a pause in between, to a filter that fails at the second.
fn half_way() -> (TestGateway, Origin) {
    let origin = Origin::start(|_| async move {
        let (sender, body) = channel();
        tokio::spawn(async move {
            let _ = sender.send(Ok("first".into()));
            tokio::task::yield_now().await;
            let _ = sender.send(Ok("second".into()));
        });
        Response::new(body)
    });
    (start(&origin, PATIENT, &["trap", "finish-trap"]), origin)
}

fn assert_failed(gateway: &TestGateway, path: &str) {
    let record = record(gateway, path);
    assert_eq!(
        (&record["outcome"], &record["error"], &record["status"]),
        (&json!("failed"), &json!("PLUGIN_FAULT"), &json!(200)),
        "{record}"
    );
}

#[test]
fn p14_a_response_that_breaks_off_never_looks_complete() {
    let (gateway, _origin) = half_way();
    for path in ["/trap", "/finish-trap"] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let broken = client.try_read_response().expect_err("a whole response");
        assert!(!broken.to_string().is_empty());
        assert_failed(&gateway, path);
    }
    for path in ["/trap/1", "/finish-trap/1"] {
        // Without a length the end of the connection is the end of the body, and this one must not look like it.
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!("GET {path} HTTP/1.0\r\nHost: a\r\n\r\n"));
        let broken = client.try_read_response().expect_err("a whole response");
        assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset, "{path}: {broken}");
        assert_failed(&gateway, path);
    }
    for path in ["/trap/2", "/finish-trap/2"] {
        let mut client = H2Client::connect(gateway.addr("public"));
        let request = Request::get(format!("http://a{path}")).body(empty()).unwrap();
        assert!(client.send(request).is_err(), "{path}: a whole response");
        assert_failed(&gateway, path);
    }
}

#[test]
fn p14_what_a_later_stage_reads_as_a_whole_has_been_filtered() {
    let origin = echo();
    let chain = format!("{}, {{ plugin = \"rewrites\" }}", filter("plain", ""));
    let routes = [route("both", &chain, "http = \"app\"")];
    let text = config(&origin.url(), PATIENT, &routes) + &format!("[plugin.rewrites]\n{PATIENT}\n");
    let gateway = files().with_guests(&["rewrites"]).start(&text);
    let answer = http(gateway.addr("public"), "POST", "/both", &[], b"hello");
    // Down: filtered, then marked. Up: marked, then filtered.
    assert_eq!(answer.text(), "RESPONSE:REQUEST:HELLO");
    assert_eq!(origin.only_request().body, b"request:HELLO");
}

#[test]
fn p14_a_client_that_leaves_takes_its_filters_with_it() {
    let written = Arc::<AtomicUsize>::default();
    let origin = flow::endless(&written);
    let gateway = files().start(&config(
        &origin.url(),
        &format!("{PATIENT}\ninstances = {{ reuse = 100 }}"),
        &[route("plain", &filter("plain", ""), "http = \"app\"")],
    ));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(MIB);
    let instances = |state: &str| {
        gateway.metric(&format!(
            "gatewright_plugin_instances{{plugin=\"filters-body\",state=\"{state}\"}}"
        ))
    };
    assert_eq!((instances("busy"), instances("idle")), (1.0, 0.0));
    drop(client);
    assert_eq!(record(&gateway, "/plain")["outcome"], "client_gone");
    // It is not kept for others: nobody knows what it holds.
    eventually("its instance is gone", || {
        (instances("busy") + instances("idle") == 0.0).then_some(())
    });
}

#[test]
fn rust_redact_redacts_what_comes_in_pieces() {
    let origin = Origin::start(|_| async move {
        let (sender, body) = channel();
        tokio::spawn(async move {
            for piece in ["my card is 1234-", "56", "78, and my sec", "ret is none"] {
                let _ = sender.send(Ok(piece.into()));
                tokio::task::yield_now().await;
            }
        });
        let response = Response::builder().header("accept-ranges", "bytes");
        response.header("repr-digest", "sha-256=x").body(body).unwrap()
    });
    let chain = "{ plugin = \"redact\", config = { patterns = [\"####-####\", \"secret\"], with = \"*\" } }";
    let routes = [route("redact", chain, "http = \"app\"")];
    let text = config(&origin.url(), PATIENT, &routes) + &format!("[plugin.redact]\n{PATIENT}\n");
    let gateway = files().start(&text);
    let headers = [("accept-encoding", "gzip"), ("range", "bytes=5-")];
    let answer = http(gateway.addr("public"), "GET", "/redact", &headers, b"");
    assert_eq!(answer.text(), "my card is *, and my * is none");
    assert_eq!(
        (answer.header("accept-ranges"), answer.header("repr-digest")),
        (None, None)
    );
    let asked = origin.only_request();
    assert_eq!(asked.headers["accept-encoding"], "identity");
    assert!(!asked.headers.contains_key("range"));
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    let mut routes = routes["routes"].as_array().unwrap().iter();
    let bodies = &routes.find(|route| route["name"] == "redact").unwrap()["bodies"];
    assert_eq!(
        bodies,
        &json!({ "request": "streams", "response": "filtered by redact", "memory_bytes": 18 << 20 })
    );
}
