//! The services that every plugin has, or that are granted with a yes: what they are bounded by, and what `describe` gets
//! of all of them.

use gatewright_tests::{TestFiles, TestProcess, eventually, guests, http};
use serde_json::{Value, json};

use super::granted::{GUEST, ask, calls, config, error, files, ok};
use super::setup::{base, route};

fn log(lines: u64, message: impl Into<Value>) -> Value {
    json!({ "call": "log", "lines": lines, "value": message.into() })
}

fn metric(name: &str, series: u64) -> Value {
    json!({ "call": "metric", "name": name, "series": series })
}

#[test]
fn a_call_has_so_many_bytes_of_log_and_the_next_one_has_them_again() {
    let gateway = files().start(&config("log_bytes = \"1KiB\"", ""));
    let dropped = || {
        gateway.metric(&format!(
            "gatewright_plugin_log_lines_dropped_total{{plugin=\"{GUEST}\"}}"
        ))
    };
    // A line counts with 64 bytes besides its text and fields.
    assert_eq!(ask(&gateway, &log(5, 64)), ok(Value::Null));
    assert_eq!(dropped(), 0.0);
    assert_eq!(
        ask(&gateway, &json!([log(5, 64), log(100, 64)])),
        json!([ok(Value::Null), ok(Value::Null)])
    );
    let first = dropped();
    assert!((90.0..105.0).contains(&first), "{first}");
    assert_eq!(ask(&gateway, &log(5, 64)), ok(Value::Null));
    assert_eq!(dropped(), first, "another call has a budget of its own");
}

#[test]
fn where_log_bytes_are_used_up_the_log_says_so_once_a_call() {
    let process = TestProcess::start_in(files(), &config("log_bytes = \"1KiB\"", ""), &[]).unwrap();
    let ask = |call: &Value| {
        let path = format!("/{GUEST}");
        http(process.addr("public"), "POST", &path, &[], call.to_string().as_bytes())
    };
    for call in [log(2, 64), json!([log(100, 64), log(100, 64)]), log(100, 64)] {
        assert_eq!(ask(&call).status, 200);
    }
    eventually("two marks", || {
        let log = process.stderr();
        (log.matches("[left out: a line for which 1KiB of `log_bytes` leave no room")
            .count()
            == 2)
            .then_some(())
    });
}

#[test]
fn each_service_that_is_asked_for_and_not_granted_has_a_line_of_its_own() {
    let process = TestProcess::start_in(files(), &config("", ""), &[]).unwrap();
    let get = |store: &str| json!({ "call": "get", "store": store, "key": "k" });
    let calls = json!([get("sessions"), get("sessions"), get("users"), { "call": "secret", "name": "KEY" }]);
    let path = format!("/{GUEST}");
    http(process.addr("public"), "POST", &path, &[], calls.to_string().as_bytes());
    for name in ["sessions", "users", "KEY"] {
        let line = format!("plugin asked for `{name}`, which it may not have");
        eventually(&line, || (process.stderr().matches(&line).count() == 1).then_some(()));
    }
}

#[test]
fn a_line_of_log_that_is_too_long_is_cut() {
    let process = TestProcess::start_in(files(), &config("log_bytes = \"1MiB\"", ""), &[]).unwrap();
    let call = log(1, 100_000).to_string();
    let path = format!("/{GUEST}");
    let answer = http(process.addr("public"), "POST", &path, &[], call.as_bytes());
    assert_eq!(answer.json(), ok(Value::Null));
    let line = eventually("the line", || {
        let log = process.stderr();
        log.lines().find(|line| line.contains("xxxx")).map(str::to_owned)
    });
    assert!(line.len() < 20_000, "{}", line.len());
}

#[test]
fn random_bytes_come_up_to_4096_at_once_and_asking_for_more_is_a_trap() {
    let gateway = files().start(&config("", ""));
    let random = |length: u64| json!({ "call": "random", "length": length });
    let answer = ask(&gateway, &json!([random(4096), random(0), random(8), random(8)]));
    assert_eq!(answer[0]["ok"][0], 4096);
    assert_eq!(answer[1]["ok"], json!([0, ""]));
    assert_ne!(answer[2], answer[3]);
    let call = random(4097).to_string();
    let path = format!("/{GUEST}");
    let refused = http(gateway.addr("public"), "POST", &path, &[], call.as_bytes());
    assert_eq!((refused.status, refused.error()), (500, Some("PLUGIN_FAULT")));
    let cause = gateway.wait_for_records(2).pop().unwrap()["cause"].to_string();
    assert!(cause.contains("at most 4096 bytes at once"), "{cause}");
    assert_eq!(ask(&gateway, &random(1))["ok"][0], 1);
}

#[test]
fn a_plugin_has_a_hundred_series_over_all_of_its_calls_and_none_without_a_grant() {
    let gateway = files().start(&config("grants = { metrics = true }", ""));
    let dropped = || {
        gateway.metric(&format!(
            "gatewright_plugin_samples_dropped_total{{plugin=\"{GUEST}\"}}"
        ))
    };
    let series = |name: &str| {
        let name = format!("gatewright_plugin_custom_{name}_total{{");
        gateway.metrics().lines().filter(|line| line.starts_with(&name)).count()
    };
    assert_eq!(ask(&gateway, &metric("first", 60)), ok(Value::Null));
    assert_eq!((series("first"), dropped()), (60, 0.0));
    assert_eq!(ask(&gateway, &metric("second", 60)), ok(Value::Null));
    assert_eq!((series("first"), series("second"), dropped()), (60, 40, 20.0));
    // Series that are there go on counting.
    assert_eq!(ask(&gateway, &metric("first", 60)), ok(Value::Null));
    assert_eq!(gateway.metric("gatewright_plugin_custom_first_total"), 120.0);

    let gateway = files().start(&config("", ""));
    assert_eq!(ask(&gateway, &metric("first", 3)), ok(Value::Null));
    assert!(!gateway.metrics().contains("gatewright_plugin_custom_"));
    assert_eq!(
        gateway.metric(&format!(
            "gatewright_plugin_samples_dropped_total{{plugin=\"{GUEST}\"}}"
        )),
        3.0
    );
}

#[test]
fn describe_has_log_clock_and_random_numbers_and_is_refused_what_the_plugin_is_granted() {
    const GUEST: &str = "describes-services";
    let names = ["secrets", "kv", "cache", "counters"].map(|service| format!("{service} = [\"granted\"]"));
    let config = [
        base(),
        "[secrets]\ngranted = \"file:granted.key\"\n".to_owned(),
        format!(
            "[plugin.{GUEST}]\ngrants = {{ metrics = true, http = [\"http://127.0.0.1:1\"], {} }}\n",
            names.join(", ")
        ),
        route(GUEST, "", &format!("plugin = \"{GUEST}\"")),
    ]
    .concat();
    let files = TestFiles::default().with_guests(&[GUEST]).with("granted.key", "sesame");
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    let plugins = http(process.admin(), "GET", "/plugins", &[], b"").text();
    let said = "true kv=NoSuchStore cache=NoSuchCache counters=NoSuchCounter secrets=NotGranted http=Forbidden";
    assert!(plugins.contains(said), "{plugins}");
    let metrics = http(process.admin(), "GET", "/metrics", &[], b"").text();
    assert!(!metrics.contains("gatewright_plugin_custom_described"), "{metrics}");
    eventually("the line of describe", || {
        process.stderr().contains("said by describe").then_some(())
    });
    assert!(!guests::guest(GUEST).is_empty());
}

#[test]
fn a_plugin_sends_no_more_requests_than_its_rate_allows() {
    let origin = gatewright_tests::Origin::saying("hello");
    let grants = |rate: &str| {
        let plugin = format!(
            "grants = {{ http = [\"{}\"] }}\nhttp = {{ rate = \"{rate}\" }}",
            origin.url()
        );
        config(&plugin, "")
    };
    let gateway = files().start(&grants("3/d"));
    let send = json!({ "call": "send", "url": origin.url() });
    let answers = ask(&gateway, &json!([send, send]));
    assert_eq!(
        (&answers[0]["ok"]["status"], &answers[1]["ok"]["status"]),
        (&json!(200), &json!(200))
    );
    // Over all calls; those that are sent at once are taken one by one.
    let both = json!({ "call": "send-all", "requests": [{ "url": origin.url() }, { "url": origin.url() }] });
    let answers = ask(&gateway, &both);
    assert_eq!(answers["ok"][0]["status"], 200);
    let limited = answers["ok"][1].as_str().unwrap();
    assert!(limited.starts_with("RateLimited("), "{limited}");
    assert!(
        ask(&gateway, &send)["error"]
            .as_str()
            .unwrap()
            .starts_with("RateLimited(")
    );
    // What is not granted, or none, takes nothing.
    assert_eq!(
        ask(&gateway, &json!({ "call": "send", "url": "http://127.0.0.1:1/" })),
        error("Forbidden")
    );
    assert_eq!(origin.hits(), 3);
    assert_eq!(calls(&gateway, "http", "limited"), 2.0);
    gateway.rewrite_config(&grants("1000/s"));
    gateway.reload().unwrap();
    eventually("the larger rate", || {
        (ask(&gateway, &send)["ok"]["status"] == 200).then_some(())
    });
}
