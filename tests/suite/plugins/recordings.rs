//! Calls that are written down, and what `gatewright replay` makes of them.

mod answers;
mod chunks;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, TestGateway, eventually, guests, http};
use serde_json::{Value, json};

use super::setup::{PATIENT, base, route};

/// A guest in a chain and as an integration, whose calls are written down so.
fn start(guest: &str, stage: &str, record: &str) -> TestGateway {
    let limits =
        format!("[plugin.{guest}]\n{PATIENT}\n[plugin.{guest}.record]\ndirectory = \"{{dir}}/recordings\"\n{record}\n");
    let chained = route("stage", &format!("{{ plugin = \"{guest}\"{stage} }}"), "respond = 200");
    let config = [base(), limits, chained].concat();
    TestFiles::default().with_guests(&[guest, "echo-body"]).start(&config)
}

fn recordings(gateway: &TestGateway) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(gateway.dir().join("recordings"));
    let entries = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    entries
        .filter(|file| file.extension().is_some_and(|it| it == "json"))
        .collect()
}

fn recording(gateway: &TestGateway) -> (PathBuf, Value) {
    let file = eventually("a call is written down", || recordings(gateway).pop());
    let text = std::fs::read_to_string(&file).unwrap();
    (file, serde_json::from_str(&text).unwrap())
}

fn gatewright(arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).args(files).stdin(Stdio::null());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_call_that_traps_is_written_down_reproduced_and_becomes_a_case() {
    let gateway = start("traps", "", "on = [\"trap\"]\nfields = [\"x-mode\", \"x-hook\"]");
    let fields = [
        ("x-mode", "panic"),
        ("x-hook", "request-transform"),
        ("authorization", "Bearer bearer-secret"),
    ];
    let good = http(
        gateway.addr("public"),
        "GET",
        "/stage/1?token=query-secret",
        &[("x-mode", "off")],
        b"",
    );
    assert_eq!(good.status, 200);
    let broken = http(
        gateway.addr("public"),
        "POST",
        "/stage/2?token=query-secret",
        &fields,
        b"body-secret",
    );
    assert_eq!((broken.status, broken.error()), (500, Some("PLUGIN_FAULT")));
    let (file, recorded) = recording(&gateway);
    assert_eq!(recordings(&gateway).len(), 1, "the good one is not written down");
    assert_eq!(
        (
            &recorded["rule"],
            &recorded["outcome"],
            &recorded["hook"],
            &recorded["route"]
        ),
        (
            &json!("trap"),
            &json!("trap"),
            &json!("request-transform"),
            &json!("stage-below")
        )
    );
    assert_eq!(recorded["digest"].as_str().unwrap().len(), 64);
    assert!(
        recorded["failure"].as_str().unwrap().contains("unreachable"),
        "{recorded:#}"
    );
    let text = recorded.to_string();
    assert!(
        text.contains("[\"x-mode\",\"panic\"]") && text.contains("[\"authorization\",\"[redacted]\"]"),
        "{text}"
    );
    for secret in ["bearer-secret", "query-secret", "body-secret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }

    let case = gateway.dir().join("cases/recorded.toml");
    std::fs::create_dir(gateway.dir().join("cases")).unwrap();
    let replayed = gatewright(&["replay", "--case"], &[&case, &file]);
    let said = stdout(&replayed);
    assert_eq!(replayed.status.code(), Some(0), "{said}");
    assert!(
        said.contains("then: trap") && said.contains("now:  trap") && said.contains("\nreproduced"),
        "{said}"
    );
    let wasm = gateway.dir().join("plugins/traps.wasm");
    let tested = gatewright(&["plugin", "test", wasm.to_str().unwrap(), "--cases"], &[&case]);
    assert_eq!(tested.status.code(), Some(0), "{}", stdout(&tested));
    // Nothing is written over.
    let again = gatewright(&["replay", "--case"], &[&case, &file]);
    assert_eq!(again.status.code(), Some(2), "{}", stdout(&again));
}

#[test]
fn a_plugin_that_has_been_repaired_does_not_reproduce_the_call() {
    let gateway = start("traps", "", "on = [\"trap\"]\nfields = [\"x-mode\", \"x-hook\"]");
    let fields = [("x-mode", "panic"), ("x-hook", "request-transform")];
    http(gateway.addr("public"), "GET", "/stage", &fields, b"");
    let (file, _) = recording(&gateway);
    let repaired = gateway.dir().join("plugins/version-one.wasm");
    std::fs::write(&repaired, gatewright_tests::guests::guest("version-one")).unwrap();
    let replayed = gatewright(&["replay", "--plugin"], &[&repaired, &file]);
    let said = stdout(&replayed);
    assert_eq!(replayed.status.code(), Some(1), "{said}");
    assert!(
        said.contains("is not the file that was called then") && said.contains("not reproduced"),
        "{said}"
    );
    for (name, text) in [("other.json", "{}"), ("none.json", "")] {
        let file = gateway.dir().join(name);
        std::fs::write(&file, text).unwrap();
        let refused = gatewright(&["replay"], &[&file]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stdout(&refused).contains("is no recorded call"), "{}", stdout(&refused));
    }
}

#[test]
fn an_identity_is_written_down_only_with_its_field() {
    let stage = ", identity = [\"header:x-key\"]";
    for (fields, shown) in [("[]", "[redacted]"), ("[\"x-key\"]", "trap")] {
        let gateway = start("decides", stage, &format!("on = [\"trap\"]\nfields = {fields}"));
        let broken = http(gateway.addr("public"), "GET", "/stage", &[("x-key", "trap")], b"");
        assert_eq!(broken.error(), Some("AUTHORIZER_FAILURE"));
        let (file, recorded) = recording(&gateway);
        assert_eq!(recorded["identity"], json!([shown]));
        // What it trapped about is not there, unless the operator wants it to be.
        let replayed = gatewright(&["replay"], &[&file]);
        let expected = if shown == "trap" { 0 } else { 1 };
        assert_eq!(replayed.status.code(), Some(expected), "{}", stdout(&replayed));
    }
}

#[test]
fn slow_calls_and_samples_are_written_down_with_their_bodies_if_wanted() {
    let gateway = start("rewrites", "", "sample = 1\nbodies = true");
    assert_eq!(
        http(gateway.addr("public"), "POST", "/stage", &[], b"\xff\x00").status,
        200
    );
    let (file, recorded) = recording(&gateway);
    assert_eq!(
        (&recorded["rule"], &recorded["outcome"]),
        (&json!("sample"), &json!("ok"))
    );
    assert_eq!(recorded["request"]["body"], json!({ "hex": "ff00" }));
    let replayed = gatewright(&["replay"], &[&file]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stdout(&replayed));

    let gateway = start("spins", "", "slower_than = \"50ms\"");
    http(gateway.addr("public"), "GET", "/stage", &[("x-spin-ms", "0")], b"");
    http(gateway.addr("public"), "GET", "/stage", &[("x-spin-ms", "100")], b"");
    let (_, recorded) = recording(&gateway);
    assert_eq!(recorded["rule"], "slow");
    assert!(recorded["wall_us"].as_u64().unwrap() >= 50_000, "{recorded:#}");
}

#[test]
fn no_secret_of_a_plugins_configuration_is_in_a_recording_or_in_a_case_made_of_it() {
    let record = "[plugin.token-authorizer.record]\nsample = 1\nbodies = true\nfields = [\"x-note\"]\ndirectory = \"{dir}/recordings\"\n";
    let chain = "{ plugin = \"token-authorizer\", config = { secret = \"hunter2-hunter2-hunter2-hunter2-hunter2\", issuer = \"https://idp\" } }";
    let config = [
        base(),
        format!("[plugin.token-authorizer]\n{PATIENT}\n{record}"),
        route("stage", chain, "respond = 200"),
    ];
    let files = TestFiles::default().with("plugins/token-authorizer.wasm", guests::plugin("token-authorizer"));
    let gateway = files.start(&config.concat());
    let note = [("x-note", "it is hunter2-hunter2-hunter2-hunter2-hunter2")];
    assert_eq!(http(gateway.addr("public"), "GET", "/stage", &note, b"").status, 401);
    let (file, recorded) = recording(&gateway);
    assert_eq!(recorded["config"]["secret"], "*".repeat(39));
    assert_eq!(recorded["config"]["issuer"], "https://idp");
    let case = gateway.dir().join("recorded.toml");
    let replayed = gatewright(&["replay", "--case"], &[&case, &file]);
    let said = stdout(&replayed);
    assert_eq!(replayed.status.code(), Some(0), "{said}");
    assert!(
        said.contains("`config/secret` is secret; as many stars are in its place"),
        "{said}"
    );
    let case = std::fs::read_to_string(case).unwrap();
    for text in [recorded.to_string(), case, said] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    for page in ["/plugins", "/routes"] {
        let text = http(gateway.admin(), "GET", page, &[], b"").text();
        assert!(!text.contains("hunter2"), "{page}: {text}");
    }
}

fn quoting(record: &str) -> TestGateway {
    let config = [
        base(),
        format!(
            "[plugin.quote]\n{PATIENT}\n[plugin.quote.record]\nsample = 1\nbodies = true\ndirectory = \"{{dir}}/recordings\"\n{record}\n"
        ),
        route(
            "quote",
            "",
            "plugin = \"quote\", config = { currency = \"EUR\", unit_price_cents = 250 }",
        ),
    ];
    let files = TestFiles::default().with("plugins/quote.wasm", guests::plugin("quote"));
    files.start(&config.concat())
}

#[test]
fn a_call_that_depends_on_the_query_is_reproduced_with_the_parameters_that_are_written_down() {
    let gateway = quoting("query = [\"quantity\"]");
    let path = "/quote?quantity=12&token=query-secret&bare-secret";
    assert_eq!(http(gateway.addr("public"), "GET", path, &[], b"").status, 200);
    let (file, recorded) = recording(&gateway);
    let query = "quantity=12&token=************&***********";
    assert_eq!(recorded["request"]["query"], query);
    let case = gateway.dir().join("recorded.toml");
    let replayed = gatewright(&["replay", "--case"], &[&case, &file]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stdout(&replayed));
    let case = std::fs::read_to_string(case).unwrap();
    assert!(case.contains(&format!("/quote?{query}")), "{case}");
    assert!(
        stdout(&replayed).contains("values of the query are redacted"),
        "{}",
        stdout(&replayed)
    );
}

#[test]
fn a_replay_says_that_it_may_differ_because_of_the_query_that_was_not_written_down() {
    let gateway = quoting("");
    // The plugin's own words about what it does not take, which it does not find in a request without a query.
    let answer = http(gateway.addr("public"), "GET", "/quote?quantity=12", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let (file, recorded) = recording(&gateway);
    assert_eq!(recorded["request"]["query"], Value::Null);
    assert!(!recorded.to_string().contains("quantity=12"));
    let mut changed = recorded;
    changed["outcome"] = json!("fault");
    std::fs::write(&file, changed.to_string()).unwrap();
    let replayed = gatewright(&["replay"], &[&file]);
    let said = stdout(&replayed);
    assert_eq!(replayed.status.code(), Some(1), "{said}");
    for words in [
        "not reproduced; the plugin reads the query",
        "the query is not in the recording; name the parameters",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
