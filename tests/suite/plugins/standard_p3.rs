//! Components of `wasi:http` 0.3 as they stand: what is promised of those of 0.2, on an engine of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::{
    H2Client, Origin, RawClient, TestFiles, TestGateway, TestProcess, empty, eventually, full, guests, http,
    with_trailers,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::setup::{PATIENT, base, heavy, record, route};
use crate::memory::{forget_peak, peak_bytes, resident_bytes};

const MIB: usize = 1 << 20;
/// What a body on its way may take: sockets, and a few pieces.
const ON_THE_WAY: usize = 16 * MIB;

/// A gateway with both servers, each behind the route of its name, and these lines in their sections.
fn start(limits: &str) -> TestGateway {
    files().start(&config(limits))
}

fn files() -> TestFiles {
    TestFiles::default().with_guests(&["serves-p3", "misserves-p3"])
}

fn config(limits: &str) -> String {
    let config = [
        base(),
        format!("[plugin.serves-p3]\n{limits}\n[plugin.misserves-p3]\n{limits}\n"),
        route("serves-p3", "", "plugin = \"serves-p3\""),
        route("misserves-p3", "", "plugin = \"misserves-p3\""),
    ];
    config.concat()
}

/// A gateway with one server, and these lines in its section.
fn start_one(plugin: &str, limits: &str) -> TestGateway {
    let limits = format!("[plugin.{plugin}]\n{limits}\n");
    let config = [base(), limits, route(plugin, "", &format!("plugin = \"{plugin}\""))];
    TestFiles::default().with_guests(&[plugin]).start(&config.concat())
}

fn busy(gateway: &TestGateway, plugin: &str) -> f64 {
    gateway.metric(&format!(
        "gatewright_plugin_instances{{plugin=\"{plugin}\",state=\"busy\"}}"
    ))
}

fn all_gone(gateway: &TestGateway, plugin: &str) {
    eventually("its instances are gone", || {
        (busy(gateway, plugin) == 0.0).then_some(())
    });
}

fn begun(gateway: &TestGateway) {
    let answer = http(gateway.addr("public"), "GET", "/misserves-p3", &[], b"");
    assert_eq!(answer.text(), "begun", "{answer:?}");
}

#[test]
fn a_server_for_0_3_sees_the_request_and_its_answer_is_the_response() {
    let gateway = start(PATIENT);
    let headers = [("x-seen", "one"), ("x-seen", "two"), ("host", "api.example")];
    let path = "/serves-p3/seen?a=%20b";
    let answer = http(gateway.addr("public"), "PUT", path, &headers, b"");
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.text(), "PUT http://api.example/serves-p3/seen?a=%20b one|two");
    assert_eq!(answer.header("x-server"), Some("serves-p3"));
    assert_eq!(answer.header_values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(record(&gateway, "/serves-p3/seen")["outcome"], "answered");
    let calls = "gatewright_plugin_calls_total{plugin=\"serves-p3\",hook=\"integration\",outcome=\"ok\"}";
    eventually("its call is counted", || (gateway.metric(calls) == 1.0).then_some(()));
    all_gone(&gateway, "serves-p3");
    let summary = &http(gateway.admin(), "GET", "/plugins", &[], b"").json()["plugins"];
    let mut plugins = summary.as_array().unwrap().iter();
    let serves = plugins.find(|plugin| plugin["plugin"]["name"] == "serves-p3").unwrap();
    assert_eq!(serves["plugin"]["kinds"], json!(["integration"]));
    let standard = serves["plugin"]["standard"].as_str().unwrap();
    assert!(standard.starts_with("wasi:http/handler@0.3."), "{standard}");
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    let mut routes = routes["routes"].as_array().unwrap().iter();
    let bodies = &routes.find(|route| route["name"] == "serves-p3").unwrap()["bodies"];
    assert_eq!(
        bodies,
        &json!({ "request": "streams", "response": "streams", "memory_bytes": 18 << 20 })
    );
}

#[test]
fn bodies_stream_through_a_server_for_0_3_both_ways() {
    let gateway = start(PATIENT);
    // Piece by piece through its memory, and handed on as a whole.
    for way in ["echo", "pass"] {
        let mut client = RawClient::connect(gateway.addr("public"));
        let head = format!("POST /serves-p3/{way} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(head + "5\r\nhello\r\n");
        let mut got = Vec::new();
        // What was sent comes back before the rest is sent.
        while !got.ends_with(b"hello\r\n") {
            got.extend(client.read_some().expect("the first piece"));
        }
        client.send("7\r\n, world\r\n0\r\n\r\n");
        while !got.ends_with(b"0\r\n\r\n") {
            got.extend(client.read_some().expect("the rest"));
        }
        assert!(String::from_utf8_lossy(&got).contains(", world\r\n"), "{way}");
        // It is sent before anything is read: what is more than sockets hold would wait for its own end.
        let large = vec![b'x'; MIB];
        let path = format!("/serves-p3/{way}");
        let answer = http(gateway.addr("public"), "POST", &path, &[], &large);
        assert!(answer.body == large, "{way}: {} bytes", answer.body.len());
    }
    let answer = http(gateway.addr("public"), "GET", "/serves-p3/slow", &[], b"");
    assert_eq!(answer.text(), "3;2;1;");
    all_gone(&gateway, "serves-p3");
}

#[test]
fn trailers_pass_a_server_for_0_3_both_ways() {
    let gateway = start(PATIENT);
    for (way, expected) in [("trailers", "seen 7"), ("pass", "7")] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!(
            "POST /serves-p3/{way} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n",
        ));
        let response = client.read_response();
        if way == "trailers" {
            assert_eq!(response.trailers, [("x-sum".to_owned(), expected.to_owned())]);
        }
        assert_eq!(record(&gateway, &format!("/serves-p3/{way}"))["outcome"], "answered");
        let mut client = H2Client::connect(gateway.addr("public"));
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
        let request = Request::post(format!("http://a/serves-p3/{way}"))
            .body(with_trailers("abc", trailers))
            .unwrap();
        let response = client.send(request).unwrap();
        assert_eq!(response.status, 200, "{way}");
    }
    all_gone(&gateway, "serves-p3");
}

#[test]
fn a_client_that_reads_slowly_holds_a_server_for_0_3_back_and_one_that_leaves_ends_it() {
    let _heavy = heavy();
    let process = TestProcess::start_in(files(), &config(PATIENT), &[]).unwrap();
    // What the first request brings into memory is not the body's.
    assert_eq!(
        http(process.addr("public"), "GET", "/serves-p3/slow", &[], b"").text(),
        "3;2;1;"
    );
    let before = resident_bytes(process.pid());
    forget_peak(process.pid());
    let mut client = RawClient::connect(process.addr("public"));
    client.send("GET /serves-p3/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(256 * MIB);
    let peak = peak_bytes(process.pid());
    assert!(peak < before + ON_THE_WAY, "{before} bytes before, {peak} at most");
    drop(client);
    let gateway = start(PATIENT);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /serves-p3/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(4 * MIB);
    assert_eq!(busy(&gateway, "serves-p3"), 1.0);
    drop(client);
    assert_eq!(record(&gateway, "/serves-p3/endless")["outcome"], "client_gone");
    all_gone(&gateway, "serves-p3");
}

#[test]
fn a_server_for_0_3_that_is_busy_says_so() {
    let gateway = start(&format!("{PATIENT}\nconcurrency = 1\nqueue_timeout = \"0s\""));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /serves-p3/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(MIB);
    let answer = http(gateway.addr("public"), "GET", "/serves-p3/seen", &[], b"");
    assert_eq!(
        (answer.status, answer.error()),
        (503, Some("PLUGIN_SATURATED")),
        "{answer:?}"
    );
    drop(client);
    all_gone(&gateway, "serves-p3");
    assert_eq!(
        http(gateway.addr("public"), "GET", "/serves-p3/seen", &[], b"").status,
        201
    );
}

#[test]
fn a_server_for_0_3_has_the_limits_of_any_plugin() {
    let gateway = start("time = \"500ms\"\ncpu = \"100ms\"\nmemory = \"8MiB\"\nhandles = 1000");
    for (mode, status, error) in [
        ("traps", 500, "PLUGIN_FAULT"),
        ("loops", 504, "PLUGIN_TIMEOUT"),
        ("yields", 504, "PLUGIN_TIMEOUT"),
        ("stalls", 504, "PLUGIN_TIMEOUT"),
        ("code", 500, "PLUGIN_FAULT"),
        ("hoards", 500, "PLUGIN_FAULT"),
        ("handles", 500, "PLUGIN_FAULT"),
        ("streams", 500, "PLUGIN_FAULT"),
        ("many-fields", 500, "PLUGIN_OUTPUT_TOO_LARGE"),
        ("status-100", 500, "PLUGIN_OUTPUT_INVALID"),
        ("status-999", 500, "PLUGIN_FAULT"),
    ] {
        let path = format!("/misserves-p3/{mode}");
        let answer = http(gateway.addr("public"), "GET", &path, &[], b"");
        assert_eq!(
            (answer.status, answer.error()),
            (status, Some(error)),
            "{mode}: {answer:?}"
        );
        let record = record(&gateway, &path);
        assert!(
            record["cause"].as_str().unwrap().contains("plugin `misserves-p3`"),
            "{mode}: {record}"
        );
        // One success in between, or the plugin would rest.
        begun(&gateway);
    }
    let answer = http(gateway.addr("public"), "GET", "/misserves-p3/forbidden", &[], b"");
    assert_eq!((answer.status, answer.text().as_str()), (200, "begun"), "{answer:?}");
    assert_eq!(answer.error(), None);
    all_gone(&gateway, "misserves-p3");
}

#[test]
fn a_response_that_a_server_for_0_3_does_not_finish_never_looks_complete() {
    let gateway = start("time = \"500ms\"\ncpu = \"100ms\"");
    for (mode, error) in [
        ("misserves-p3/then-traps", "PLUGIN_FAULT"),
        ("misserves-p3/then-loops", "PLUGIN_TIMEOUT"),
        ("misserves-p3/then-stalls", "PLUGIN_TIMEOUT"),
        ("misserves-p3/then-drops", "PLUGIN_OUTPUT_INVALID"),
        ("misserves-p3/then-forgets", "PLUGIN_OUTPUT_INVALID"),
        ("misserves-p3/trailers", "PLUGIN_OUTPUT_TOO_LARGE"),
        // Fewer bytes than it said, none at all, and more.
        ("misserves-p3/short", "PLUGIN_OUTPUT_INVALID"),
        ("misserves-p3/no-body", "PLUGIN_OUTPUT_INVALID"),
        ("misserves-p3/long", "PLUGIN_OUTPUT_INVALID"),
        ("serves-p3/break", "PLUGIN_OUTPUT_INVALID"),
    ] {
        let path = format!("/{mode}");
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.try_read_response().expect_err(mode);
        let record = record(&gateway, &path);
        assert_eq!(
            (&record["outcome"], &record["error"], &record["status"]),
            (&json!("failed"), &json!(error), &json!(200)),
            "{mode}: {record}"
        );
        let path = format!("/{}", mode.replace('/', "/h2/"));
        let mut client = H2Client::connect(gateway.addr("public"));
        let request = Request::get(format!("http://a{path}")).body(empty()).unwrap();
        assert!(client.send(request).is_err(), "{path}: a whole response");
        begun(&gateway);
    }
    all_gone(&gateway, "misserves-p3");
}

#[test]
fn a_server_for_0_3_asks_origins_that_it_is_granted_and_no_others() {
    let hits = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&hits);
    let origin = Origin::start(move |request: Request<_>| {
        counting.fetch_add(1, Ordering::SeqCst);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::builder().header("x-origin", "yes").body(full(body)).unwrap()
        }
    });
    let gateway = start(&format!("{PATIENT}\ngrants = {{ http = [\"{}/v1\"] }}", origin.url()));
    let ask = |url: &str| {
        let headers = [("x-ask", url), ("x-forwarded-for", "203.0.113.1")];
        http(gateway.addr("public"), "POST", "/serves-p3/ask", &headers, b"question")
    };
    let answer = ask(&format!("{}/v1/users", origin.url()));
    assert_eq!((answer.status, answer.text().as_str()), (200, "question"), "{answer:?}");
    assert_eq!(answer.header("x-origin"), Some("yes"));
    let asked = origin.only_request();
    assert_eq!(asked.target.as_str(), "/v1/users");
    // What the gateway vouches for is not the component's to say.
    assert!(!asked.headers.contains_key("x-forwarded-for"), "{asked:?}");
    for url in [
        origin.url(),
        format!("{}/v2", origin.url()),
        format!("{}/v1/../v2", origin.url()),
        "http://169.254.169.254/latest".to_owned(),
        "http://localhost:1/".to_owned(),
    ] {
        let answer = ask(&url);
        assert_eq!(answer.status, 502, "{url}: {answer:?}");
        assert!(answer.text().contains("RequestDenied"), "{url}: {}", answer.text());
    }
    assert_eq!(hits.load(Ordering::SeqCst), 1);
    let refused = "gatewright_plugin_service_calls_total{plugin=\"serves-p3\",service=\"http\",outcome=\"refused\"}";
    assert_eq!(gateway.metric(refused), 5.0);
}

#[test]
fn a_server_for_0_3_holds_nobody_up() {
    let gateway = start("time = \"2s\"\ncpu = \"1s\"");
    let mut looping = RawClient::connect(gateway.addr("public"));
    looping.send("GET /misserves-p3/loops HTTP/1.1\r\nHost: a\r\n\r\n");
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(
            http(gateway.addr("public"), "GET", "/serves-p3/slow", &[], b"").text(),
            "3;2;1;"
        );
    }
    assert_eq!(looping.read_response().status, 504);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_server_for_0_3_reaches_nothing_of_the_machine() {
    let gateway = start(PATIENT);
    let answer = http(gateway.addr("public"), "GET", "/serves-p3/reach", &[], b"");
    assert_eq!(answer.text(), "reached [], 16 random bytes");
}

#[test]
fn what_a_server_for_0_3_prints_is_in_the_log_within_its_budget_also_after_its_response() {
    let process = TestProcess::start_in(files(), &config(&format!("{PATIENT}\nlog_bytes = \"1KiB\"")), &[]).unwrap();
    let printed = |path: &str, at_least: usize| {
        let answer = http(process.addr("public"), "GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        eventually("all that it may print", || {
            let text = process.stderr();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let lines = lines.filter(|line| line["target"] == "gatewright::plugin");
            let lines: Vec<_> = lines
                .map(|line| line["fields"]["message"].as_str().unwrap_or_default().to_owned())
                .collect();
            (lines.len() >= at_least).then_some(lines)
        })
    };
    let lines = printed("/serves-p3/prints", 12);
    assert!(lines.len() < 20, "{}", lines.len());
    assert!(
        lines[1].starts_with("line 0 ") && !lines[1].contains('\u{1b}'),
        "{}",
        lines[1]
    );
    let lines = printed("/serves-p3/after", lines.len() + 2);
    assert_eq!(lines.last().map(String::as_str), Some("went on after its response"));
}

#[test]
fn a_server_for_0_3_in_python_streams_too() {
    let plugin = "serves-p3-python";
    let gateway = start_one(plugin, &format!("{PATIENT}\nmemory = \"64MiB\""));
    let body = "x".repeat(100_000);
    let path = "/serves-p3-python/a?b=c";
    let answer = http(gateway.addr("public"), "POST", path, &[], body.as_bytes());
    assert_eq!(
        (answer.status, answer.header("x-server")),
        (200, Some("python")),
        "{answer:?}"
    );
    assert!(
        answer.text() == format!("{path}\n{body}"),
        "{} bytes",
        answer.body.len()
    );
    assert_eq!(record(&gateway, "/serves-p3-python/a")["outcome"], "answered");
}

#[test]
fn a_server_for_0_3_in_python_takes_no_more_memory_for_a_long_body_than_for_a_short_one() {
    // Four times its memory, in 65 536 pieces: it reads no more than 4 KiB at once.
    super::standard::stays_flat("serves-p3-python", 256);
}

#[test]
fn a_server_for_both_versions_is_asked_by_the_newer() {
    let gateway = start_one("serves-both", PATIENT);
    assert_eq!(
        http(gateway.addr("public"), "GET", "/serves-both", &[], b"").text(),
        "0.3"
    );
}

#[test]
fn a_server_for_0_2_is_replaced_by_one_for_0_3_and_back_while_it_serves() {
    const FILE: &str = "plugins/changing.wasm";
    let servers = ["serves", "serves-p3"].map(guests::guest);
    let config = [
        base(),
        format!("[plugin.changing]\n{PATIENT}\n"),
        route("it", "", "plugin = \"changing\""),
    ];
    let gateway = TestFiles::default().with(FILE, &servers[0]).start(&config.concat());
    let mut endless = RawClient::connect(gateway.addr("public"));
    endless.send("GET /it/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    endless.read_bytes(MIB);
    for (server, name) in [(1, "serves-p3"), (0, "serves"), (1, "serves-p3")] {
        gateway.write(FILE, &servers[server]);
        eventually("the other one serves", || {
            let answer = http(gateway.addr("public"), "PUT", "/it/seen", &[], b"");
            assert_eq!(answer.status, 201, "{answer:?}");
            (answer.header("x-server") == Some(name)).then_some(())
        });
        // What has begun goes on with the one that it began with.
        endless.read_bytes(MIB);
    }
}

#[test]
fn what_is_wrong_with_the_use_of_a_server_for_0_3_is_said_at_load() {
    let refused = |section: &str, chain: &str, integration: &str| {
        let config = [base(), section.to_owned(), route("it", chain, integration)].concat();
        let files = TestFiles::default().with_guests(&["serves-p3"]);
        files.try_start(&config).err().unwrap_or_default()
    };
    let error = refused("", "", "plugin = \"serves-p3\", config = { a = 1 }");
    assert!(error.contains("cannot configure plugin `serves-p3`"), "{error}");
    let error = refused("", "{ plugin = \"serves-p3\" }", "respond = 200");
    assert!(error.contains("it is no stage; it exports `integration`"), "{error}");
    let section = "[plugin.serves-p3]\ninstances = { reuse = 10 }\n";
    let error = refused(section, "", "plugin = \"serves-p3\"");
    assert!(error.contains("serves one request"), "{error}");
}
