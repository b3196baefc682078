//! P24, P26: what plugins may use of the host is bounded, and of the machine they see the time and nothing else.

use std::time::{Duration, Instant};

use gatewright_tests::{TestFiles, TestProcess, eventually, guests, http};
use serde_json::Value;

use super::setup::{Kinds, PATIENT, base, heavy, route};

/// Starts a process with `chatters` as integration, and asks for these modes, one after the other.
fn chatter(limits: &str, modes: &[&str]) -> (TestProcess, Vec<gatewright_tests::RawResponse>) {
    let config = [
        base(),
        format!("[plugin.chatters]\n{limits}\n"),
        route("chatters", "", "plugin = \"chatters\""),
    ]
    .concat();
    let process = TestProcess::start_in(TestFiles::default().with_guests(&["chatters"]), &config, &[]).unwrap();
    let ask = |mode: &&str| http(process.addr("public"), "GET", "/chatters", &[("x-mode", mode)], b"");
    let answers = modes.iter().map(ask).collect();
    (process, answers)
}

/// What plugins have logged.
fn lines(process: &TestProcess) -> Vec<Value> {
    let text = process.stderr();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    lines.filter(|line| line["target"] == "gatewright::plugin").collect()
}

/// The same, once there are any: they are written by the process, which is not waited for.
fn some_lines(process: &TestProcess) -> Vec<Value> {
    eventually("a plugin's line in the log", || {
        Some(lines(process)).filter(|lines| !lines.is_empty())
    })
}

fn metric(process: &TestProcess, name: &str) -> f64 {
    let page = http(process.admin(), "GET", "/metrics", &[], b"").text();
    let line = page
        .lines()
        .find(|line| line.starts_with(&format!("{name}{{plugin=\"chatters\"}}")));
    line.map_or(0.0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[test]
fn p24_a_million_lines_are_a_few_in_the_log_and_end_in_time() {
    let _heavy = heavy();
    let (process, answers) = chatter("time = \"2s\"\ncpu = \"2s\"\nlog_bytes = \"8KiB\"", &[""]);
    assert!([200, 504].contains(&answers[0].status), "{:?}", answers[0]);
    let logged = some_lines(&process);
    // Each line counts with 64 bytes besides its text.
    assert!((1..=8192 / 64).contains(&logged.len()), "{}", logged.len());
    assert!(
        logged
            .iter()
            .all(|line| (line["fields"]["message"] == "again" || is_mark(line))
                && line["fields"]["plugin"] == "chatters")
    );
    assert!(metric(&process, "gatewright_plugin_log_lines_dropped_total") > 1_000.0);
}

/// Says that lines are missing.
fn is_mark(line: &Value) -> bool {
    line["fields"]["message"]
        .as_str()
        .is_some_and(|message| message.starts_with("[left out"))
}

#[test]
fn p24_a_line_of_a_plugin_is_one_line_of_text() {
    let (process, answers) = chatter(PATIENT, &["control"]);
    assert_eq!(answers[0].status, 200);
    let logged = some_lines(&process);
    assert_eq!(logged.len(), 1, "{logged:?}");
    let fields = &logged[0]["fields"];
    assert_eq!(
        fields["message"],
        r"a\r\n2026-01-01T00:00:00Z ERROR forged\u{0}\u{1b}[2J"
    );
    assert_eq!(fields["fields"], r#"k\n=v\r\nv2="x""#);
    assert!(fields["exchange"].is_string(), "{fields}");
}

#[test]
fn p24_what_a_call_passes_to_the_host_is_bounded() {
    let _heavy = heavy();
    let (process, answers) = chatter("time = \"2s\"\ncpu = \"500ms\"", &["long", "fields", "off"]);
    for answer in &answers[..2] {
        let expected = [
            (500, Some("PLUGIN_OUTPUT_TOO_LARGE")),
            (504, Some("PLUGIN_TIMEOUT")),
            (500, Some("PLUGIN_FAULT")),
            (200, None),
        ];
        assert!(expected.contains(&(answer.status, answer.error())), "{answer:?}");
    }
    assert_eq!(answers[0].error(), Some("PLUGIN_OUTPUT_TOO_LARGE"));
    assert_eq!(answers[2].status, 200);
    assert!(lines(&process).is_empty());
}

#[test]
fn p24_time_that_is_spent_in_the_host_is_the_plugins_time() {
    let _heavy = heavy();
    let kinds = Kinds::start("chatters", "time = \"1s\"\ncpu = \"40ms\"", "");
    for mode in ["clock", "random"] {
        let began = Instant::now();
        let asked = kinds.ask("integration", mode);
        asked.assert_failed("integration", "chatters", 504, "PLUGIN_TIMEOUT");
        assert!(
            began.elapsed() < Duration::from_millis(900),
            "{mode}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn p24_series_are_granted_and_few_and_have_names_that_fit() {
    let _heavy = heavy();
    let granted = format!("{PATIENT}\nhost_call_bytes = \"64MiB\"\ngrants = {{ metrics = true }}");
    let kinds = Kinds::start("chatters", &granted, "");
    assert_eq!(kinds.ask("integration", "series").response.status, 200);
    let custom = |page: &str| {
        page.lines()
            .filter(|line| line.starts_with("gatewright_plugin_custom_series"))
            .count()
    };
    assert_eq!(custom(&kinds.gateway.metrics()), 100);
    assert_eq!(kinds.metric("samples_dropped_total", ""), 99_900.0);
    assert_eq!(kinds.ask("integration", "names").response.status, 200);
    let page = kinds.gateway.metrics();
    assert_eq!(kinds.metric("samples_dropped_total", ""), 99_903.0, "{page}");
    let foreign = |line: &&str| line.contains("# HELP\"") || line.contains("__name__") || line.contains("a b");
    assert_eq!(page.lines().find(foreign), None);

    let refused = Kinds::start("chatters", PATIENT, "");
    assert_eq!(refused.ask("integration", "series").response.status, 200);
    assert_eq!(custom(&refused.gateway.metrics()), 0);
    assert_eq!(refused.metric("samples_dropped_total", ""), 100_000.0);
}

#[test]
fn p26_a_plugin_sees_the_time_and_nothing_else_of_the_machine() {
    let limits = format!("[plugin.world]\n{PATIENT}\n");
    let integration = route("integration", "", "plugin = \"world\"");
    let stage = route("stage", "{ plugin = \"world\" }", "respond = 200");
    let config = [base(), limits, integration, stage].concat();
    let files = TestFiles::default().with("plugins/world.wasm", guests::guest("reads-the-world.wasip2"));
    let process = TestProcess::start_in(files, &config, &[("GATEWAY_SECRET", "not for plugins")]).unwrap();
    let answer = http(process.addr("public"), "GET", "/integration", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::Object(mut seen) = answer.json() else {
        panic!("{answer:?}")
    };
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let time = seen
        .remove("unix_seconds")
        .and_then(|seconds| seconds.as_u64())
        .unwrap();
    assert!(now.abs_diff(time) < 60, "{time}");
    assert_eq!(seen.len(), 7, "{seen:?}");
    assert!(seen.values().all(Value::is_null), "{seen:?}");
    // As authorizer it denies when it sees anything.
    assert_eq!(http(process.addr("public"), "GET", "/stage", &[], b"").status, 200);
    assert!(!std::path::Path::new("/tmp/gatewright-guest").exists());
    // What it prints is a line of its own, as any that it logs, and nobody else's.
    let printed = some_lines(&process);
    assert_eq!(printed[0]["fields"]["message"], "a line for nobody");
    assert_eq!(printed[0]["fields"]["plugin"], "world");
    let plugins = http(process.admin(), "GET", "/plugins", &[], b"").json();
    let imports = plugins["plugins"][0]["plugin"]["imports"].as_array().unwrap();
    assert!(
        imports
            .iter()
            .any(|import| import.as_str().unwrap().starts_with("wasi:filesystem/")),
        "{imports:?}"
    );
}
