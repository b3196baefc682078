//! `cache`: values that one call computes for all that want them.

use std::sync::Arc;
use std::time::Duration;

use ::http::Response;
use gatewright_tests::raw_client::{RawClient, request};
use gatewright_tests::{Origin, TestGateway, eventually, full, http};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{GUEST, ask, ask_as, ask_route, calls, config, error, files, ok};

const GRANT: &str = "grants = { cache = [\"keys\"] }";

fn get(key: &str) -> Value {
    json!({ "call": "cache-get", "store": "keys", "key": key })
}

fn get_within(key: &str, wait: u64) -> Value {
    json!({ "call": "cache-get", "store": "keys", "key": key, "wait": wait })
}

fn put(key: &str, value: impl Into<Value>, ttl: u64) -> Value {
    json!({ "call": "cache-put", "store": "keys", "key": key, "value": value.into(), "ttl": ttl })
}

fn forget(key: &str) -> Value {
    json!({ "call": "cache-forget", "store": "keys", "key": key })
}

fn value(value: &str) -> Value {
    ok(json!(["value", value]))
}

/// An origin that answers when it may: what a call that computes waits for.
struct Slow {
    origin: Origin,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn start() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let waiting = Arc::clone(&gate);
        let origin = Origin::start(move |_| {
            let gate = Arc::clone(&waiting);
            async move {
                let _ = gate.acquire().await;
                Response::new(full("at last"))
            }
        });
        Self { origin, gate }
    }

    fn gateway(&self, plugin: &str, sections: &str) -> TestGateway {
        let grants = format!(
            "grants = {{ cache = [\"keys\"], http = [\"{}\"] }}\n{plugin}",
            self.origin.url()
        );
        // Sections say things once: what is said last counts here.
        let config = config(&grants, sections);
        let config = if plugin.starts_with("time") {
            config.replace("time = \"10s\"\n", "")
        } else {
            config
        };
        files().start(&config)
    }

    fn send(&self) -> Value {
        json!({ "call": "send", "url": self.origin.url(), "timeout": 60_000 })
    }

    /// A call that is under way: it asks for the key, then for the origin, then does the rest.
    fn computing(&self, gateway: &TestGateway, key: &str, then: &[Value]) -> RawClient {
        let hits = self.origin.hits();
        let calls: Vec<_> = [get(key), self.send()]
            .into_iter()
            .chain(then.iter().cloned())
            .collect();
        let client = start(gateway, &json!(calls));
        eventually("the call computes", || (self.origin.hits() > hits).then_some(()));
        client
    }
}

/// Sends a call whose answer is read later.
fn start(gateway: &TestGateway, call: &Value) -> RawClient {
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(request("POST", &format!("/{GUEST}"), &[], call.to_string().as_bytes()));
    client
}

/// So many calls wait for a value.
fn wait_for_waiting(gateway: &TestGateway, count: usize) {
    eventually("the calls wait", || {
        let waiting = gateway.metric(&format!("gatewright_plugin_cache_waiting{{plugin=\"{GUEST}\"}}"));
        (waiting == count as f64).then_some(())
    });
}

fn asked(gateway: &TestGateway, result: &str) -> f64 {
    gateway.metric(&format!(
        "gatewright_plugin_cache_total{{plugin=\"{GUEST}\",result=\"{result}\"}}"
    ))
}

#[test]
fn what_one_call_computes_the_next_one_gets_also_after_a_reload() {
    let gateway = files().start(&config(GRANT, ""));
    let computed = json!([get("k"), get("k"), put("k", "v", 60_000), get("k")]);
    assert_eq!(
        ask(&gateway, &computed),
        json!([ok("compute"), ok("compute"), ok(Value::Null), value("v")])
    );
    gateway.rewrite_config(&config(&format!("{GRANT}\nlog_bytes = \"1KiB\""), ""));
    gateway.reload().unwrap();
    assert_eq!(ask(&gateway, &get("k")), value("v"));
    assert_eq!(
        ask(&gateway, &json!([forget("k"), forget("k"), get("k")]))[2],
        ok("compute")
    );
    ask(&gateway, &put("k", "short", 50));
    eventually("the end of its time", || {
        (ask(&gateway, &get("k")) == ok("compute")).then_some(())
    });
}

#[test]
fn one_call_computes_while_the_others_wait_and_all_get_its_value() {
    for ttl in [60_000, 0] {
        let slow = Slow::start();
        let gateway = slow.gateway("", "");
        let mut first = slow.computing(&gateway, "k", &[put("k", "v", ttl)]);
        let mut others: Vec<_> = (0..8).map(|_| start(&gateway, &get("k"))).collect();
        wait_for_waiting(&gateway, 8);
        // Other keys are not kept waiting.
        assert_eq!(ask(&gateway, &get("other")), ok("compute"));
        slow.gate.close();
        assert_eq!(first.read_response().json()[2], ok(Value::Null));
        for other in &mut others {
            assert_eq!(other.read_response().json(), value("v"));
        }
        assert_eq!(slow.origin.hits(), 1);
        assert_eq!((asked(&gateway, "shared"), asked(&gateway, "miss")), (8.0, 2.0));
        let kept = if ttl == 0 { ok("compute") } else { value("v") };
        assert_eq!(ask(&gateway, &get("k")), kept);
    }
}

#[test]
fn when_a_call_ends_without_a_value_the_next_one_is_told_to_compute() {
    for (then, status, instances) in [
        (Some(json!({ "call": "fault" })), 503, ""),
        (Some(json!({ "call": "trap" })), 500, ""),
        (None, 200, ""),
        (None, 200, "instances = { reuse = 1000 }"),
    ] {
        let slow = Slow::start();
        let gateway = slow.gateway(instances, "");
        let mut first = slow.computing(&gateway, "k", then.as_slice());
        let mut second = start(&gateway, &json!([get("k"), put("k", "second", 60_000)]));
        wait_for_waiting(&gateway, 1);
        let mut third = start(&gateway, &get("k"));
        wait_for_waiting(&gateway, 2);
        slow.gate.close();
        assert_eq!(first.read_response().status, status, "{then:?}");
        assert_eq!(
            second.read_response().json(),
            json!([ok("compute"), ok(Value::Null)]),
            "{then:?}"
        );
        assert_eq!(third.read_response().json(), value("second"), "{then:?}");
    }
}

#[test]
fn a_call_that_is_cut_off_by_its_time_or_its_client_leaves_the_value_to_the_next() {
    let slow = Slow::start();
    let gateway = slow.gateway("time = \"300ms\"", "");
    let mut first = slow.computing(&gateway, "k", &[]);
    assert_eq!(first.read_response().status, 504);
    assert_eq!(ask(&gateway, &get("k")), ok("compute"));

    let gateway = slow.gateway("", "");
    let mut first = slow.computing(&gateway, "k", &[]);
    let mut second = start(&gateway, &get("k"));
    wait_for_waiting(&gateway, 1);
    // Who closes its side sooner after its request has only said that there is no other (C10).
    assert!(first.is_silent_for(Duration::from_millis(150)));
    drop(first);
    assert_eq!(second.read_response().json(), ok("compute"));
    slow.gate.close();
}

#[test]
fn who_gives_up_or_waits_no_longer_than_it_wants_goes_on() {
    let slow = Slow::start();
    let gateway = slow.gateway("", "");
    let mut first = slow.computing(&gateway, "k", &[put("k", "v", 60_000)]);
    assert_eq!(
        ask(&gateway, &json!([get_within("k", 0), get_within("k", 30)])),
        json!([error("Timeout"), error("Timeout")])
    );
    // Somebody else may put it, though.
    let mut waiting = start(&gateway, &get("k"));
    wait_for_waiting(&gateway, 1);
    assert_eq!(ask(&gateway, &put("k", "faster", 1)), ok(Value::Null));
    assert_eq!(waiting.read_response().json(), value("faster"));
    slow.gate.close();
    assert_eq!(first.read_response().json()[2], ok(Value::Null));
    assert_eq!(ask(&gateway, &get("k")), value("v"));

    let slow = Slow::start();
    let gateway = slow.gateway("", "");
    let calls = json!([get("k"), forget("k"), slow.send()]);
    let mut first = start(&gateway, &calls);
    eventually("it has given up", || (slow.origin.hits() == 1).then_some(()));
    assert_eq!(ask(&gateway, &get("k")), ok("compute"));
    slow.gate.close();
    assert_eq!(first.read_response().status, 200);
}

#[test]
fn a_call_that_computes_waits_for_nobody() {
    let slow = Slow::start();
    let gateway = slow.gateway("", "");
    let mut first = slow.computing(&gateway, "a", &[]);
    let both = json!([get("b"), get("a"), put("a", "of b", 60_000)]);
    assert_eq!(
        ask(&gateway, &both),
        json!([ok("compute"), ok("compute"), ok(Value::Null)])
    );
    assert_eq!(ask(&gateway, &get("a")), value("of b"));
    slow.gate.close();
    assert_eq!(first.read_response().status, 200);
    let many: Vec<Value> = (0..200).map(|n| get(&n.to_string())).collect();
    let answers = ask(&gateway, &json!(many));
    assert!(
        answers
            .as_array()
            .unwrap()
            .iter()
            .all(|answer| *answer == ok("compute"))
    );
}

#[test]
fn no_more_calls_wait_than_may() {
    let slow = Slow::start();
    let gateway = slow.gateway("", "[cache.keys]\nwaiting = 1\n");
    let mut first = slow.computing(&gateway, "k", &[put("k", "v", 60_000)]);
    let mut second = start(&gateway, &get("k"));
    wait_for_waiting(&gateway, 1);
    let third = ask(&gateway, &get("k"));
    assert!(third["error"].as_str().unwrap().starts_with("Unavailable"), "{third}");
    slow.gate.close();
    assert_eq!(first.read_response().status, 200);
    assert_eq!(second.read_response().json(), value("v"));
}

#[test]
fn keys_and_values_are_bounded_and_the_oldest_make_room() {
    let gateway = files().start(&config(
        GRANT,
        "[cache.keys]\nvalue_bytes = \"1KiB\"\nbytes = \"16KiB\"\n",
    ));
    assert_eq!(ask(&gateway, &get(&"k".repeat(513))), error("TooLarge"));
    assert_eq!(ask(&gateway, &put("k", 1025, 60_000)), error("TooLarge"));
    assert_eq!(ask(&gateway, &put("longest", "v", 3_600_000)), ok(Value::Null));
    let flood: Vec<Value> = (0..100).map(|n| put(&n.to_string(), 1024, 60_000)).collect();
    let answers = ask(&gateway, &json!(flood));
    assert!(
        answers
            .as_array()
            .unwrap()
            .iter()
            .all(|answer| *answer == ok(Value::Null))
    );
    assert_eq!(ask(&gateway, &get("longest")), value("v"));
    assert_eq!(ask(&gateway, &get("0")), ok("compute"), "it has made room");
    assert_eq!(calls(&gateway, "cache", "invalid"), 2.0);
}

#[test]
fn a_cache_is_granted_by_name_and_each_plugin_has_its_own() {
    let both = "grants = { cache = [\"keys\"], kv = [\"keys\"] }";
    let config =
        config(both, "") + &format!("[plugin.other]\ntime = \"10s\"\ncpu = \"5s\"\n{GRANT}\n") + &ask_route("other");
    let files = files().with("plugins/other.wasm", gatewright_tests::guests::guest(GUEST));
    let gateway = files.start(&config);
    ask(&gateway, &put("k", "v", 60_000));
    assert_eq!(ask_as(&gateway, "other", &get("k")), ok("compute"));
    // A store of the same name is another thing.
    assert_eq!(
        ask(&gateway, &json!({ "call": "get", "store": "keys", "key": "k" })),
        ok(Value::Null)
    );
    for cache in ["", "Keys", "other", "uses-services\0keys"] {
        assert_eq!(
            ask(&gateway, &json!({ "call": "cache-get", "store": cache, "key": "k" })),
            error("NoSuchCache")
        );
    }
    assert_eq!(calls(&gateway, "cache", "refused"), 4.0);
    let plugins = http(gateway.admin(), "GET", "/plugins", &[], b"").text();
    assert!(plugins.contains("\"cache\""), "{plugins}");
}
