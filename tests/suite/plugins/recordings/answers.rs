//! What services answered in a recorded call: written down in order, given again, and part of the case.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_tests::{Origin, TestFiles, TestGateway, full, http};
use http::Response;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{gatewright, recording, stdout};
use crate::plugins::setup::{PATIENT, base, route};

const GUEST: &str = "uses-services";
const SECRET: &str = "granted-secret";

/// A gateway that writes down every call, so, of a plugin that is granted everything.
fn start(limits: &str, record: &str, url: &str) -> TestGateway {
    let limits = format!(
        "[plugin.{GUEST}]\n{limits}\n\
         grants = {{ secrets = [\"KEY\"], kv = [\"sessions\"], cache = [\"keys\"], counters = [\"logins\"], http = [\"{url}\"] }}\n\
         [secrets]\nKEY = \"file:{{dir}}/key\"\n\
         [plugin.{GUEST}.record]\ndirectory = \"{{dir}}/recordings\"\nbodies = true\n{record}\n"
    );
    let config = [base(), limits, route("services", "", &format!("plugin = \"{GUEST}\""))].concat();
    let files = TestFiles::default().with("key", SECRET).with_guests(&[GUEST]);
    files.start(&config)
}

/// Calls the plugin; its answer, and the recording.
fn call(gateway: &TestGateway, calls: &Value) -> (Value, PathBuf, Value) {
    let token = [("authorization", "Bearer token-of-alice")];
    let body = calls.to_string();
    let answer = http(gateway.addr("public"), "POST", "/services", &token, body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let (file, recorded) = recording(gateway);
    (answer.json(), file, recorded)
}

fn asks(recorded: &Value) -> Vec<&str> {
    let services = recorded["services"].as_array().unwrap().iter();
    services.map(|service| service["ask"].as_str().unwrap()).collect()
}

fn answers(recorded: &Value) -> Vec<Value> {
    let services = recorded["services"].as_array().unwrap().iter();
    services.map(|service| service["answer"].clone()).collect()
}

/// Replays a recording and writes the case.
fn replay(gateway: &TestGateway, file: &Path) -> (Option<i32>, String, PathBuf) {
    let case = gateway.dir().join("recorded.toml");
    let replayed = gatewright(&["replay", "--case"], &[&case, file]);
    (replayed.status.code(), stdout(&replayed), case)
}

fn test(gateway: &TestGateway, case: &Path) -> (Option<i32>, String) {
    let wasm = gateway.dir().join(format!("plugins/{GUEST}.wasm"));
    let tested = gatewright(&["plugin", "test", wasm.to_str().unwrap(), "--cases"], &[case]);
    (tested.status.code(), stdout(&tested))
}

#[test]
fn what_services_answered_is_written_down_in_order_and_given_again() {
    let origin = Origin::start(|request| async move {
        let response = Response::builder().header("set-cookie", "session=of-the-origin");
        let body = format!("hello from {}", request.uri().path());
        response.header("x-shown", "yes").body(full(body)).unwrap()
    });
    let url = origin.url();
    let gateway = start(PATIENT, "sample = 1\nanswers = true\nfields = [\"x-shown\"]", &url);
    let all = json!([
        { "call": "secret", "name": "KEY" },
        { "call": "secret", "name": "OTHER" },
        { "call": "set", "store": "sessions", "key": "alice", "value": "of token-of-alice" },
        { "call": "get", "store": "sessions", "key": "alice" },
        { "call": "get", "store": "sessions", "key": "nobody" },
        { "call": "cas", "store": "sessions", "key": "alice", "value": "x" },
        { "call": "delete", "store": "sessions", "key": "alice" },
        { "call": "add", "store": "logins", "key": "alice", "window": 60_000, "delta": 3 },
        { "call": "take", "store": "logins", "key": "b", "tokens": 1, "capacity": 5, "rate": 0.001 },
        { "call": "cache-get", "store": "keys", "key": "k" },
        { "call": "cache-put", "store": "keys", "key": "k", "value": "cached" },
        { "call": "cache-get", "store": "keys", "key": "k" },
        { "call": "time" },
        { "call": "random", "length": 8 },
        { "call": "send", "url": format!("{url}/one?token=1") },
        { "call": "send-all", "requests": [{ "url": format!("{url}/two") }, { "url": "http://192.0.2.1/" }] },
    ]);
    let (then, file, recorded) = call(&gateway, &all);
    let send = |path: &str| format!("http.send GET {url}{path}");
    assert_eq!(
        asks(&recorded),
        [
            "secrets.get KEY",
            "secrets.get OTHER",
            "kv.set sessions alice",
            "kv.get sessions alice",
            "kv.get sessions nobody",
            "kv.compare-and-set sessions alice",
            "kv.delete sessions alice",
            "counters.add logins alice",
            "counters.take logins b",
            "cache.get keys k",
            "cache.put keys k",
            "cache.get keys k",
            "clock.unix-nanos",
            "random.bytes",
            &send("/one token=1"),
            &send("/two"),
            "http.send GET http://192.0.2.1/",
        ]
    );
    let answers = answers(&recorded);
    assert_eq!(answers[0], json!({ "value": { "redacted": SECRET.len() } }));
    assert_eq!(answers[1], json!({ "error": { "name": "not-granted", "text": "" } }));
    assert_eq!(
        answers[3],
        json!({ "entry": { "revision": 1, "value": { "text": "of [redacted]" } } }),
        "what is redacted in the request is redacted here"
    );
    assert_eq!((&answers[4], &answers[6]), (&json!("absent"), &json!("done")));
    let fields = answers[14]["response"]["fields"].as_array().unwrap();
    assert!(
        fields.contains(&json!(["set-cookie", "[redacted]"])) && fields.contains(&json!(["x-shown", "yes"])),
        "{fields:?}"
    );
    let mut besides_the_body = recorded;
    besides_the_body["request"]["body"].take();
    for private in [SECRET, "token-of-alice", "of-the-origin"] {
        assert!(
            !besides_the_body.to_string().contains(private),
            "{private}: {besides_the_body:#}"
        );
    }

    let hits = origin.hits();
    let (code, said, case) = replay(&gateway, &file);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("\nreproduced") && said.contains("the answer to `secrets.get KEY` is redacted"),
        "{said}"
    );
    assert_eq!(test(&gateway, &case).0, Some(0), "{}", test(&gateway, &case).1);
    // The plugin is told what it was told then, but for what is redacted.
    let mut expected = then;
    expected[0] = json!({ "ok": "*".repeat(SECRET.len()) });
    expected[3]["ok"][0] = "of [redacted]".into();
    let redact = |sent: &mut Value| {
        let fields = sent["fields"].as_array_mut().unwrap().iter_mut();
        fields
            .filter(|field| field[0] != "x-shown")
            .for_each(|field| field[1] = "[redacted]".into());
    };
    redact(&mut expected[14]["ok"]);
    redact(&mut expected[15]["ok"][0]);
    let text = std::fs::read_to_string(&case).unwrap();
    let strict = text.replace("[case.expect]\n", &format!("[case.expect]\nbody = '''{expected}'''\n"));
    assert_ne!(strict, text);
    std::fs::write(&case, strict).unwrap();
    let (code, said) = test(&gateway, &case);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(origin.hits(), hits, "nothing is sent");
}

#[test]
fn a_plugin_that_asks_for_something_else_is_found_out() {
    let origin = Origin::saying("hello");
    let gateway = start(PATIENT, "sample = 1\nanswers = true", &origin.url());
    let get = json!([
        { "call": "get", "store": "sessions", "key": "alice" },
        { "call": "get", "store": "sessions", "key": "bob" },
    ]);
    let (_, file, recorded) = call(&gateway, &get);
    let changed = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut recorded = recorded.clone();
        change(recorded["services"].as_array_mut().unwrap());
        let other = file.with_extension("other");
        std::fs::write(&other, recorded.to_string()).unwrap();
        let replayed = gatewright(&["replay"], &[&other]);
        (replayed.status.code(), stdout(&replayed))
    };
    let (code, said) = changed(&|services| services[1]["ask"] = "kv.get sessions carol".into());
    let finding =
        "the plugin asked: kv.get sessions bob\n  where the recording has: kv.get sessions carol\nnot reproduced";
    assert!(code == Some(1) && said.contains(finding), "{said}");
    let (code, said) = changed(&|services| services.truncate(1));
    let finding = "the plugin asked: kv.get sessions bob\n  where the recording has: nothing more";
    assert!(code == Some(1) && said.contains(finding), "{said}");
    let (code, said) = changed(&|services| services.push(services[0].clone()));
    let finding = "the plugin asked: it was not asked for\n  where the recording has: kv.get sessions alice";
    assert!(code == Some(1) && said.contains(finding), "{said}");
    let (code, said) = changed(&|services| services[0]["answer"] = json!({ "number": 7 }));
    assert!(code == Some(1) && said.contains("never answers"), "{said}");
    let (code, said) = changed(&|_| {});
    assert!(code == Some(0) && said.contains("\nreproduced"), "{said}");
}

#[test]
fn without_answers_only_their_size_is_written_down_and_stars_are_given_again() {
    let origin = Origin::saying("what the origin says");
    let gateway = start(PATIENT, "sample = 1", &origin.url());
    let calls = json!([
        { "call": "set", "store": "sessions", "key": "key-of-alice", "value": "value-of-alice" },
        { "call": "get", "store": "sessions", "key": "key-of-alice" },
        { "call": "send", "url": format!("{}/path?query=private", origin.url()) },
        { "call": "random", "length": 4 },
    ]);
    let (_, file, mut recorded) = call(&gateway, &calls);
    let send = format!("http.send GET {}/path [redacted]", origin.url());
    assert_eq!(
        asks(&recorded),
        [
            "kv.set sessions [redacted]",
            "kv.get sessions [redacted]",
            &send,
            "random.bytes"
        ]
    );
    let value = |bytes: usize| json!({ "redacted": bytes });
    assert_eq!(answers(&recorded)[1]["entry"]["value"], value(14));
    assert_eq!(answers(&recorded)[2]["response"]["body"], value(20));
    assert_eq!(answers(&recorded)[3]["value"], value(4));
    recorded["request"]["body"].take();
    for private in ["of-alice", "private", "origin says"] {
        assert!(!recorded.to_string().contains(private), "{private}: {recorded:#}");
    }
    let (code, said, case) = replay(&gateway, &file);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("14 stars are in its place"), "{said}");
    assert_eq!(test(&gateway, &case).0, Some(0));
}

#[test]
fn an_answer_that_is_long_is_cut_and_says_so() {
    let origin = Origin::start(|_| async { Response::new(full("x".repeat(100_000))) });
    let gateway = start(PATIENT, "sample = 1\nanswers = true", &origin.url());
    let (_, file, recorded) = call(&gateway, &json!({ "call": "send", "url": origin.url() }));
    let body = &answers(&recorded)[0]["response"]["body"];
    assert_eq!(body["cut_from"], 100_000);
    assert_eq!(body["text"].as_str().unwrap().len(), 65_536);
    let (code, said, _) = replay(&gateway, &file);
    assert!(
        code == Some(0) && said.contains("was cut: it had 100000 bytes"),
        "{said}"
    );
}

#[test]
fn a_service_that_did_not_answer_does_not_answer_again() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await;
            Response::new(full("late"))
        }
    });
    let gateway = start("time = \"300ms\"\ncpu = \"250ms\"", "on = [\"timeout\"]", &origin.url());
    let call = json!({ "call": "send", "url": origin.url() }).to_string();
    let answer = http(gateway.addr("public"), "POST", "/services", &[], call.as_bytes());
    assert_eq!(
        (answer.status, answer.error()),
        (504, Some("PLUGIN_TIMEOUT")),
        "{answer:?}"
    );
    let (file, recorded) = recording(&gateway);
    assert_eq!(answers(&recorded), [json!("never")]);
    let (code, said, case) = replay(&gateway, &file);
    assert!(code == Some(0) && said.contains("now:  timeout"), "{said}");
    assert_eq!(test(&gateway, &case).0, Some(0));
    gate.close();
}
