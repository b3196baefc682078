//! Components of `wasi:http` as they stand: servers made with public toolchains, which know nothing of Gatewright.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
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

use super::setup::{PATIENT, base, record, route};

const MIB: usize = 1 << 20;

/// A gateway with both servers, each behind the route of its name, and these lines in their sections.
fn start(limits: &str) -> TestGateway {
    files().start(&config(limits))
}

fn files() -> TestFiles {
    TestFiles::default().with_guests(&["serves", "misserves"])
}

fn config(limits: &str) -> String {
    let config = [
        base(),
        format!("[plugin.serves]\n{limits}\n[plugin.misserves]\n{limits}\n"),
        route("serves", "", "plugin = \"serves\""),
        route("misserves", "", "plugin = \"misserves\""),
    ];
    config.concat()
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

#[test]
fn a_standard_server_sees_the_request_and_its_answer_is_the_response() {
    let gateway = start(PATIENT);
    let headers = [("x-seen", "one"), ("x-seen", "two"), ("host", "api.example")];
    let answer = http(gateway.addr("public"), "PUT", "/serves/seen?a=%20b", &headers, b"");
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.text(), "PUT http://api.example/serves/seen?a=%20b one|two");
    assert_eq!(answer.header("x-server"), Some("serves"));
    assert_eq!(answer.header_values("set-cookie"), ["a=1", "b=2"]);
    let calls = "gatewright_plugin_calls_total{plugin=\"serves\",hook=\"integration\",outcome=\"ok\"}";
    eventually("its call is counted", || (gateway.metric(calls) == 1.0).then_some(()));
    all_gone(&gateway, "serves");
    let summary = &http(gateway.admin(), "GET", "/plugins", &[], b"").json()["plugins"];
    let serves = summary
        .as_array()
        .unwrap()
        .iter()
        .find(|plugin| plugin["plugin"]["name"] == "serves")
        .unwrap();
    assert_eq!(serves["plugin"]["kinds"], json!(["integration"]));
    let standard = serves["plugin"]["standard"].as_str().unwrap();
    assert!(standard.starts_with("wasi:http/incoming-handler@0.2."), "{standard}");
    let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    let mut routes = routes["routes"].as_array().unwrap().iter();
    let bodies = &routes.find(|route| route["name"] == "serves").unwrap()["bodies"];
    assert_eq!(
        bodies,
        &json!({ "request": "streams", "response": "streams", "memory_bytes": 18 << 20 })
    );
}

#[test]
fn bodies_stream_through_a_standard_server_both_ways() {
    let gateway = start(PATIENT);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /serves/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let mut got = Vec::new();
    // What was sent comes back before the rest is sent.
    while !got.ends_with(b"hello\r\n") {
        got.extend(client.read_some().expect("the first piece"));
    }
    client.send("7\r\n, world\r\n0\r\n\r\n");
    while !got.ends_with(b"0\r\n\r\n") {
        got.extend(client.read_some().expect("the rest"));
    }
    assert!(String::from_utf8_lossy(&got).contains(", world\r\n"));
    let large = vec![b'x'; 8 * MIB];
    let answer = http(gateway.addr("public"), "POST", "/serves/echo", &[], &large);
    assert!(answer.body == large, "{} bytes", answer.body.len());
    let answer = http(gateway.addr("public"), "GET", "/serves/slow", &[], b"");
    assert_eq!(answer.text(), "3;2;1;");
    all_gone(&gateway, "serves");
}

#[test]
fn trailers_pass_a_standard_server_both_ways() {
    let gateway = start(PATIENT);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(
        "POST /serves/trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n",
    );
    let response = client.read_response();
    assert_eq!(response.trailers, [("x-sum".to_owned(), "seen 7".to_owned())]);
    assert_eq!(record(&gateway, "/serves/trailers")["outcome"], "answered");
    let mut client = H2Client::connect(gateway.addr("public"));
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("8"))]);
    let request = Request::post("http://a/serves/trailers")
        .body(with_trailers("abc", trailers))
        .unwrap();
    let response = client.send(request).unwrap();
    assert_eq!(response.status, 200);
}

#[test]
fn a_client_that_does_not_read_or_leaves_stops_a_standard_server() {
    let gateway = start(PATIENT);
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /serves/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(4 * MIB);
    assert_eq!(busy(&gateway, "serves"), 1.0);
    drop(client);
    assert_eq!(record(&gateway, "/serves/endless")["outcome"], "client_gone");
    all_gone(&gateway, "serves");
}

#[test]
fn a_standard_server_that_is_busy_says_so() {
    let gateway = start(&format!("{PATIENT}\nconcurrency = 1\nqueue_timeout = \"0s\""));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("GET /serves/endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_bytes(MIB);
    let answer = http(gateway.addr("public"), "GET", "/serves/seen", &[], b"");
    assert_eq!(
        (answer.status, answer.error()),
        (503, Some("PLUGIN_SATURATED")),
        "{answer:?}"
    );
    let calls = "gatewright_plugin_calls_total{plugin=\"serves\",hook=\"integration\",outcome=\"saturated\"}";
    assert_eq!(gateway.metric(calls), 1.0);
    drop(client);
    all_gone(&gateway, "serves");
    assert_eq!(
        http(gateway.addr("public"), "GET", "/serves/seen", &[], b"").status,
        201
    );
}

#[test]
fn handles_that_are_dropped_make_room_and_more_at_once_than_the_key_allows_are_a_failure_that_names_it() {
    let gateway = start(&format!("{PATIENT}\nhandles = 60"));
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send("POST /serves/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..500 {
        // One piece after the other: each is read and written by itself.
        client.send("5\r\npiece\r\n");
    }
    client.send("0\r\n\r\n");
    let answer = client.read_response();
    assert_eq!((answer.status, answer.body.len()), (200, 500 * 5));
    let broken = http(gateway.addr("public"), "GET", "/misserves/handles", &[], b"");
    assert_eq!((broken.status, broken.error()), (500, Some("PLUGIN_FAULT")));
    let cause = record(&gateway, "/misserves/handles")["cause"].to_string();
    assert!(
        cause.contains("more resource handles at once than `handles`"),
        "{cause}"
    );
}

#[test]
fn a_standard_server_has_the_limits_of_any_plugin() {
    let gateway = start("time = \"500ms\"\ncpu = \"100ms\"\nmemory = \"8MiB\"\nhandles = 1000");
    for (mode, status, error) in [
        ("nothing", 500, "PLUGIN_OUTPUT_INVALID"),
        ("traps", 500, "PLUGIN_FAULT"),
        ("loops", 504, "PLUGIN_TIMEOUT"),
        ("code", 500, "PLUGIN_FAULT"),
        ("hoards", 500, "PLUGIN_FAULT"),
        ("handles", 500, "PLUGIN_FAULT"),
        ("many-fields", 500, "PLUGIN_OUTPUT_TOO_LARGE"),
        ("status-100", 500, "PLUGIN_OUTPUT_INVALID"),
        ("status-999", 500, "PLUGIN_OUTPUT_INVALID"),
    ] {
        let path = format!("/misserves/{mode}");
        let answer = http(gateway.addr("public"), "GET", &path, &[], b"");
        assert_eq!(
            (answer.status, answer.error()),
            (status, Some(error)),
            "{mode}: {answer:?}"
        );
        let record = record(&gateway, &path);
        assert!(
            record["cause"].as_str().unwrap().contains("plugin `misserves`"),
            "{mode}: {record}"
        );
        // One success in between, or the plugin would rest.
        assert_eq!(
            http(gateway.addr("public"), "GET", "/misserves", &[], b"").text(),
            "begun"
        );
    }
    let answer = http(gateway.addr("public"), "GET", "/misserves/forbidden", &[], b"");
    assert_eq!((answer.status, answer.text().as_str()), (200, "begun"), "{answer:?}");
    assert_eq!(answer.error(), None);
    all_gone(&gateway, "misserves");
}

#[test]
fn a_response_that_a_standard_server_does_not_finish_never_looks_complete() {
    let gateway = start("time = \"500ms\"\ncpu = \"100ms\"");
    for (mode, error) in [
        ("misserves/then-traps", "PLUGIN_FAULT"),
        ("misserves/then-loops", "PLUGIN_TIMEOUT"),
        ("misserves/then-stalls", "PLUGIN_TIMEOUT"),
        ("misserves/then-drops", "PLUGIN_OUTPUT_INVALID"),
        ("misserves/then-forgets", "PLUGIN_OUTPUT_INVALID"),
        ("misserves/trailers", "PLUGIN_OUTPUT_TOO_LARGE"),
        // Fewer bytes than it said, and more.
        ("misserves/short", "PLUGIN_OUTPUT_INVALID"),
        ("misserves/long", "PLUGIN_OUTPUT_INVALID"),
        ("serves/break", "PLUGIN_OUTPUT_INVALID"),
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
        assert_eq!(
            http(gateway.addr("public"), "GET", "/misserves", &[], b"").text(),
            "begun"
        );
    }
    all_gone(&gateway, "misserves");
}

#[test]
fn a_standard_server_asks_origins_that_it_is_granted_and_no_others() {
    let hits = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&hits);
    let origin = Origin::start(move |request: Request<_>| {
        counting.fetch_add(1, Ordering::SeqCst);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::builder().header("x-origin", "yes").body(full(body)).unwrap()
        }
    });
    let limits = format!("{PATIENT}\ngrants = {{ http = [\"{}/v1\"] }}", origin.url());
    let gateway = start(&limits);
    let ask = |url: &str| {
        let headers = [("x-ask", url), ("x-forwarded-for", "203.0.113.1")];
        http(gateway.addr("public"), "POST", "/serves/ask", &headers, b"question")
    };
    let answer = ask(&format!("{}/v1/users", origin.url()));
    assert_eq!((answer.status, answer.text().as_str()), (200, "question"), "{answer:?}");
    assert_eq!(answer.header("x-origin"), Some("yes"));
    let asked = origin.only_request();
    assert_eq!(
        (asked.target.as_str(), asked.headers["x-ask"].is_empty()),
        ("/v1/users", false)
    );
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
    let refused = "gatewright_plugin_service_calls_total{plugin=\"serves\",service=\"http\",outcome=\"refused\"}";
    assert_eq!(gateway.metric(refused), 5.0);
}

#[test]
fn a_standard_server_holds_nobody_up() {
    let gateway = start("time = \"2s\"\ncpu = \"1s\"");
    let mut looping = RawClient::connect(gateway.addr("public"));
    looping.send("GET /misserves/loops HTTP/1.1\r\nHost: a\r\n\r\n");
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(
            http(gateway.addr("public"), "GET", "/serves/slow", &[], b"").text(),
            "3;2;1;"
        );
    }
    assert_eq!(looping.read_response().status, 504);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_standard_server_in_python_streams_too() {
    let plugin = "serves-python";
    let limits = format!("[plugin.{plugin}]\n{PATIENT}\nmemory = \"64MiB\"\n");
    let config = [base(), limits, route(plugin, "", &format!("plugin = \"{plugin}\""))];
    let gateway = TestFiles::default().with_guests(&[plugin]).start(&config.concat());
    let body = "x".repeat(100_000);
    let answer = http(
        gateway.addr("public"),
        "POST",
        "/serves-python/a?b=c",
        &[],
        body.as_bytes(),
    );
    assert_eq!(
        (answer.status, answer.header("x-server")),
        (200, Some("python")),
        "{answer:?}"
    );
    assert!(
        answer.text() == format!("/serves-python/a?b=c\n{body}"),
        "{} bytes",
        answer.body.len()
    );
    assert_eq!(record(&gateway, "/serves-python/a")["outcome"], "answered");
}

#[test]
fn a_standard_server_in_python_takes_no_more_memory_for_a_gibibyte_than_for_a_short_body() {
    stays_flat("serves-python", 1024);
}

/// A server that sends back what it gets takes no more memory for a body of so many MiB than for one of 16.
pub(super) fn stays_flat(plugin: &str, mib: usize) {
    let limits = format!("[plugin.{plugin}]\ntime = \"5m\"\ncpu = \"4m\"\nmemory = \"64MiB\"\n");
    let config = [base(), limits, route(plugin, "", &format!("plugin = \"{plugin}\""))];
    let config = config
        .concat()
        .replacen("address = ", "limits = { body = \"2GiB\" }\naddress = ", 1)
        .replace(
            &format!("path = \"/{plugin}\""),
            &format!("path = \"/{plugin}\"\ntimeout = \"5m\""),
        );
    let gateway = TestFiles::default().with_guests(&[plugin]).start(&config);
    let path = format!("/{plugin}");
    let most = |mib: usize| {
        // It answers while it is asked: who sends is not who reads.
        let mut stream = TcpStream::connect(gateway.addr("public")).unwrap();
        let mut sending = stream.try_clone().unwrap();
        let path = path.clone();
        let sender = std::thread::spawn(move || {
            let length = mib * MIB;
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            sending.write_all(head.as_bytes()).unwrap();
            for _ in 0..mib {
                sending.write_all(&[b'x'; MIB]).unwrap();
            }
        });
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (mut received, mut end) = (0, Vec::new());
        let mut buffer = vec![0; MIB];
        while let count @ 1.. = stream.read(&mut buffer).unwrap() {
            assert!(received > 0 || buffer.starts_with(b"HTTP/1.1 200 "));
            received += count;
            end.extend_from_slice(&buffer[count.saturating_sub(5)..count]);
            end.drain(..end.len().saturating_sub(5));
        }
        sender.join().unwrap();
        assert!(end == b"0\r\n\r\n" && received > mib * MIB, "{received} bytes");
        gateway.metric(&format!(
            "gatewright_plugin_memory_high_water_bytes{{plugin=\"{plugin}\",route=\"{plugin}\"}}"
        )) as usize
    };
    let (short, long) = (most(16), most(mib));
    assert!(short > 0);
    assert!(
        long <= short + 2 * MIB,
        "{short} bytes after 16 MiB, {long} after {mib} MiB"
    );
}

#[test]
fn what_a_standard_server_prints_is_in_the_log_within_its_budget() {
    let process = TestProcess::start_in(files(), &config(&format!("{PATIENT}\nlog_bytes = \"1KiB\"")), &[]).unwrap();
    let answer = http(process.addr("public"), "GET", "/serves/prints", &[], b"");
    assert_eq!(answer.text(), "printed");
    let of_guest = |line: &Value| line["target"] == "gatewright::plugin";
    let lines = eventually("all that it may print", || {
        let text = process.stderr();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let lines: Vec<Value> = lines.filter(of_guest).collect();
        (lines.len() >= 12).then_some(lines)
    });
    assert!(lines.len() < 20, "{}", lines.len());
    let fields = &lines[1]["fields"];
    assert_eq!(
        (&fields["plugin"], &lines[1]["level"]),
        (&json!("serves"), &json!("INFO"))
    );
    let text = fields["message"].as_str().unwrap();
    assert!(text.starts_with("line 0 ") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn what_is_wrong_with_the_use_of_a_standard_server_is_said_at_load() {
    let refused = |section: &str, chain: &str, integration: &str| {
        let config = [base(), section.to_owned(), route("it", chain, integration)].concat();
        let files = TestFiles::default().with_guests(&["serves"]);
        files.try_start(&config).err().unwrap_or_default()
    };
    let error = refused("", "", "plugin = \"serves\", config = { a = \"hunter2\" }");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(error.contains("cannot configure plugin `serves`"), "{error}");
    let error = refused("", "{ plugin = \"serves\" }", "respond = 200");
    assert!(error.contains("it is no stage; it exports `integration`"), "{error}");
    let error = refused(
        "[plugin.serves]\ninstances = { reuse = 10 }\n",
        "",
        "plugin = \"serves\"",
    );
    assert!(error.contains("serves one request"), "{error}");
    let wat = "(component (instance (export \"wasi:http/handler@0.4.0\")))";
    let config = [base(), route("it", "", "plugin = \"later\"")].concat();
    let files = TestFiles::default().with("plugins/later.wasm", guests::text(wat));
    let error = files.try_start(&config).err().unwrap();
    assert!(error.contains("`wasi:http/handler@0.4.0`"), "{error}");
    assert!(
        error.contains("comes with the plugin platform of a later version"),
        "{error}"
    );
}
