//! The admin address: health, readiness, numbers, facts, reload, and who may see them.

mod access;
mod exposition;
mod numbers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatewright_tests::{Origin, RawClient, TestGateway, http};

use self::exposition::Page;

const CONFIG: &str = r#"
    [listener.public]
    address = "127.0.0.1:0"

    [upstream.app]
    targets = [{ url = "URL" }]

    [[route]]
    name = "limited"
    path = "/limited"
    chain = [{ use = "throttle", rate = "1/m", by = "route" }]
    integration = { respond = 200, body = "ok" }

    [[route]]
    name = "app"
    path = "/app/{id}"
    methods = ["GET", "POST"]
    hosts = ["*.example.com", "localhost"]
    integration = { http = "app" }
"#;

fn start() -> (TestGateway, Origin) {
    let origin = Origin::saying("hello");
    (TestGateway::start(&CONFIG.replace("URL", &origin.url())), origin)
}

#[test]
fn health_and_readiness_are_plain_answers() {
    let (gateway, _origin) = start();
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let response = http(gateway.admin(), "GET", path, &[], b"");
        assert_eq!((response.status, response.text().as_str()), (200, text));
    }
}

#[test]
fn other_paths_and_methods_are_told_what_there_is() {
    let (gateway, _origin) = start();
    let status = |method: &str, path: &str| http(gateway.admin(), method, path, &[], b"").status;
    for path in ["/", "/metrics/", "/config", "/healthz/x", "/../healthz"] {
        assert_eq!(status("GET", path), 404, "{path}");
    }
    for (method, path) in [
        ("POST", "/healthz"),
        ("DELETE", "/routes"),
        ("GET", "/reload"),
        ("PUT", "/metrics"),
    ] {
        assert_eq!(status(method, path), 405, "{method} {path}");
    }
    assert_eq!(gateway.metric("gatewright_generation"), 1.0, "nothing was loaded anew");
}

#[test]
fn routes_are_shown_as_configured() {
    let (gateway, _origin) = start();
    let shown = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    assert_eq!(
        (&shown["generation"], &shown["last_refused_reload"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(shown["file"], gateway.dir().join("gateway.toml").display().to_string());
    let routes = shown["routes"].as_array().unwrap();
    assert_eq!(routes.len(), 2);
    assert_eq!(
        (&routes[0]["chain"][0], &routes[0]["integration"]),
        (&"throttle".into(), &"respond:200".into())
    );
    let app = &routes[1];
    assert_eq!(
        (&app["name"], &app["path"], &app["integration"]),
        (&"app".into(), &"/app/{id}".into(), &"http:app".into())
    );
    assert_eq!(app["methods"], serde_json::json!(["GET", "POST"]));
    assert_eq!(app["hosts"], serde_json::json!(["*.example.com", "localhost"]));
    let plugins = http(gateway.admin(), "GET", "/plugins", &[], b"").json();
    assert_eq!(
        (&plugins["generation"], &plugins["plugins"]),
        (&1.into(), &serde_json::json!([]))
    );
}

#[test]
fn a_reload_that_is_asked_for_says_what_came_of_it() {
    let (gateway, origin) = start();
    let reload = || http(gateway.admin(), "POST", "/reload", &[], b"");
    let response = reload();
    assert_eq!(
        (response.status, response.json()),
        (200, serde_json::json!({ "generation": 2 }))
    );
    gateway.write("gateway.toml", "nonsense");
    let response = reload();
    assert_eq!(response.status, 422);
    assert!(
        response.json()["message"].as_str().unwrap().contains("gateway.toml:1:"),
        "{}",
        response.text()
    );
    gateway.rewrite_config(&CONFIG.replace("URL", &origin.url()));
    assert_eq!(reload().status, 200);
}

#[test]
fn the_metrics_page_is_valid_and_has_every_number() {
    let (gateway, _origin) = start();
    let addr = gateway.addr("public");
    for (method, path) in [
        ("GET", "/limited"),
        ("GET", "/limited"),
        ("POST", "/app/1"),
        ("GET", "/none"),
        ("BREW", "/app/1"),
    ] {
        http(addr, method, path, &[], b"body");
    }
    RawClient::connect(addr).send("nonsense\r\n\r\n").read_response();
    gateway.wait_for_records(6);
    let accept = ("accept", "application/openmetrics-text");
    let response = http(gateway.admin(), "GET", "/metrics", &[accept], b"");
    let kind = response.header("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let page = Page::parse(&response.text());
    for (family, kind) in [
        ("gatewright_requests", "counter"),
        ("gatewright_problems", "counter"),
        ("gatewright_request_duration_seconds", "histogram"),
        ("gatewright_upstream_duration_seconds", "histogram"),
        ("gatewright_request_body_bytes", "counter"),
        ("gatewright_response_body_bytes", "counter"),
        ("gatewright_stage_calls", "counter"),
        ("gatewright_stage_duration_seconds", "histogram"),
        ("gatewright_reloads", "counter"),
        ("gatewright_generation", "gauge"),
        ("gatewright_access_log_dropped", "counter"),
    ] {
        assert_eq!(page.kind(family), Some(kind), "{family} of {:?}", page.families());
        assert!(page.has_samples(family), "{family} has no sample");
    }
    assert_eq!(
        page.sum("gatewright_requests_total"),
        6.0,
        "one for each request, also for what is none"
    );
    assert_eq!(page.sum("gatewright_request_duration_seconds_count"), 6.0);
}

#[test]
fn a_client_cannot_make_series_without_end() {
    let (gateway, _origin) = start();
    for number in 0..50 {
        http(
            gateway.addr("public"),
            &format!("M{number}"),
            &format!("/{number}"),
            &[("host", &format!("h{number}"))],
            b"",
        );
    }
    gateway.wait_for_records(50);
    let page = Page::parse(&gateway.metrics());
    assert!(
        page.samples_of("gatewright_requests_total") <= 4,
        "{}",
        gateway.metrics()
    );
}

#[test]
fn x9_the_admin_address_answers_while_every_worker_is_busy() {
    let (gateway, _origin) = start();
    let addr = gateway.addr("public");
    let done = AtomicBool::new(false);
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // Many requests at once on each connection: the workers never come to rest.
                let mut client = RawClient::connect(addr);
                let pipeline = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50);
                while !done.load(Ordering::SeqCst) {
                    client.send(&pipeline);
                    (0..50).for_each(|_| assert_eq!(client.read_response().status, 404));
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(1) {
            for path in ["/healthz", "/metrics"] {
                let began = Instant::now();
                assert_eq!(http(gateway.admin(), "GET", path, &[], b"").status, 200);
                slowest = slowest.max(began.elapsed());
                asked += 1;
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    println!("x9: {asked} answers, the slowest after {slowest:?}");
    assert!(
        slowest < Duration::from_secs(1) && asked > 10,
        "{asked} answers, the slowest after {slowest:?}"
    );
}
