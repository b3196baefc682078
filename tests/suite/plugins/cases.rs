//! `gatewright plugin test`, with the real program: what plugins answer in the real host, and what is said of it.

use std::path::Path;
use std::process::{Command, Output};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, guests};
use serde_json::{Value, json};

/// Machines that build are slow.
const PATIENCE: [&str; 2] = ["--patience", "100"];

fn run(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(["plugin", "test"])
        .args(arguments)
        .args(PATIENCE)
        .output()
        .expect("the binary can be run")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs a guest against cases.
pub(super) fn try_guest(guest: &str, cases: &str) -> (Option<i32>, Value) {
    let files = TestFiles::default()
        .with_guests(&[guest])
        .with("plugins/tests/cases.toml", cases);
    let output = run(&[&text(&files.dir().join("plugins")), "--format", "json"]);
    let shown = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), shown)
}

/// Every case must be as expected.
pub(super) fn all_pass(guest: &str, cases: &str) {
    let (code, shown) = try_guest(guest, cases);
    assert_eq!((code, &shown["failed"]), (Some(0), &json!(0)), "{shown:#}");
}

/// What is said of the only case, which must not be as expected.
pub(super) fn differences(guest: &str, case: &str) -> Vec<(String, String, String)> {
    let (code, shown) = try_guest(guest, &format!("[[case]]\nname = \"it\"\n{case}\n"));
    assert_eq!((code, &shown["failed"]), (Some(1), &json!(1)), "{shown:#}");
    let text = |difference: &Value, key: &str| difference[key].as_str().unwrap().to_owned();
    let list = shown["cases"][0]["differences"].as_array().unwrap().clone();
    let words = list
        .iter()
        .map(|one| (text(one, "what"), text(one, "expected"), text(one, "got")));
    words.collect()
}

#[test]
fn every_teaching_plugin_answers_its_cases() {
    let folders = std::fs::read_dir(guests::root().join("plugins")).unwrap();
    let mut seen = 0;
    for folder in folders.map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        // Plugins in other languages are built by other means.
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let wasm = guests::root().join(format!("target/plugins/{name}.wasm"));
        let output = run(&[&text(&wasm), "--cases", &text(&folder.join("tests"))]);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}: {shown}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(shown.contains(" 0 failed"), "{name}: {shown}");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
fn an_authorizers_decision_is_told_from_its_failures() {
    let case = |key: &str, expect: &str| {
        format!("[[case]]\nname = \"{key}\"\nrequest.headers.x-key = \"{key}\"\nexpect = {{ {expect} }}\n")
    };
    let cases = [
        case(
            "gold",
            "principal = \"holder of gold\", request = { headers = { x-decision-number = true } }",
        ),
        case("deny", "decision = \"deny\", status = 403, reason = \"asked to deny\""),
        case("abstain", "decision = \"abstain\""),
        case("fault", "failure = \"fault\", message = \"asked to be unavailable\""),
        case("trap", "failure = \"trap\""),
        // The policy of the grant does not cover what was asked for.
        case("policy", "decision = \"deny\", reason = \"policy\""),
    ];
    all_pass("decides", &cases.concat());
}

#[test]
fn a_request_and_its_response_are_seen_as_the_plugin_leaves_them() {
    all_pass(
        "rewrites",
        r#"
        [[case]]
        name = "a whole exchange"
        request = { path = "/a?b=c", body = "in", headers = { x-remove = "1", x-keep = ["1", "2"] } }
        response = { status = 201, body = "out" }
        [case.expect]
        status = 201
        body = "response:out"
        headers = { x-rewritten = "response" }
        request = { method = "POST", path = "/rewritten/a?b=c", body = "request:in", headers = { x-rewritten = "request", x-remove = false, x-keep = ["1", "2"] } }
        attributes = { "plugin.rewrites.rewritten" = true }

        [[case]]
        name = "the request alone"
        expect = { request = { path = "/rewritten/" } }
        "#,
    );
}

#[test]
fn each_case_begins_anew_however_many_have_trapped() {
    let case = |number: usize| format!("[[case]]\nname = \"{number}\"\nexpect = {{ failure = \"trap\" }}\n");
    let cases: String = (0..12).map(case).collect();
    all_pass(
        "traps",
        &format!("{cases}[[case]]\nname = \"off\"\nrequest.headers.x-mode = \"off\"\n"),
    );
}

#[test]
fn what_the_gateway_refuses_of_an_answer_is_a_failure() {
    all_pass(
        "bad-output",
        "[[case]]\nname = \"split\"\nconfig = { mode = \"split\" }\nexpect = { failure = \"output\" }\n",
    );
}

#[test]
fn limits_are_those_of_the_file_of_cases() {
    all_pass(
        "loops-in-hook",
        "[plugin]\ntime = \"1ms\"\ncpu = \"1ms\"\n[[case]]\nname = \"it loops\"\nexpect = { failure = \"timeout\" }\n",
    );
}

#[test]
fn a_difference_says_what_was_expected_and_what_came() {
    let of = |case: &str| differences("rewrites", case);
    let texts = |what: &str, expected: &str, got: &str| (what.to_owned(), expected.to_owned(), got.to_owned());
    assert_eq!(
        of("expect = { request = { method = \"PUT\", headers = { x-rewritten = \"no\" } } }"),
        [
            texts("request.method", "PUT", "GET"),
            texts("request.headers.x-rewritten", "no", "request")
        ]
    );
    assert_eq!(
        of("response = { body = \"a\\nb\" }\nexpect = { body = \"response:a\\nc\" }"),
        [texts("body, line 2", "c", "b")]
    );
    assert_eq!(
        of("expect = { status = 200 }"),
        [texts("response", "one", "the request goes on")]
    );
    assert_eq!(
        of("expect = { failure = \"trap\" }"),
        [texts("failure", "trap", "none: the request goes on")]
    );
    let output = differences("traps", "");
    assert_eq!((output[0].0.as_str(), output[0].1.as_str()), ("failure", "none"));
    assert!(output[0].2.starts_with("trap: "), "{output:?}");
}

#[test]
fn a_body_is_compared_as_json_place_by_place() {
    let quote = guests::root().join("target/plugins/quote.wasm");
    let files = TestFiles::default().with(
        "cases.toml",
        "[config]\ncurrency = \"EUR\"\nunit_price_cents = 2\n[[case]]\nname = \"it\"\nrequest.path = \"/?quantity=2\"\n\
         expect = { json = { quantity = 2, unit_price_cents = 2, discount_percent = 0, total_cents = 5, tip = 1, currency = \"EUR\" } }\n",
    );
    let output = run(&[&text(&quote), "--cases", &text(&files.dir().join("cases.toml"))]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for words in [
        "cases.toml:4)",
        "json/total_cents\n        expected: 5\n        got:      4\n",
        "json/tip\n        expected: 1\n        got:      none\n",
        "\n0 passed, 1 failed\n",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn mistakes_in_cases_are_all_said_before_anything_runs() {
    let files = TestFiles::default().with_guests(&["echo"]).with(
        "plugins/tests/cases.toml",
        "[[case]]\nnam = \"a\"\n[[case]]\nname = \"b\"\nrequest = { path = \"a b\" }\nexpect = { decision = \"alow\" }\n",
    );
    let output = run(&[&text(&files.dir().join("plugins/echo.wasm"))]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    for words in [
        "cases.toml:2:1: case[0].nam: unknown key `nam`",
        "did you mean `name`?",
        "cases.toml:5:",
        "did you mean `allow`?",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn what_is_missing_is_named_and_ends_with_2() {
    let files = TestFiles::default()
        .with_guests(&["echo"])
        .with("empty/.keep", "")
        .with("none.toml", "")
        .with("one.toml", "[[case]]\nname = \"a\"\n");
    let path = |name: &str| text(&files.dir().join(name));
    for (arguments, words) in [
        (vec![path("empty")], "there is no .wasm file"),
        (vec![path("plugins")], "name files of cases with --cases"),
        (vec![path("plugins"), "--cases".into(), path("empty")], "no .toml file"),
        (
            vec![path("plugins"), "--cases".into(), path("none.toml")],
            "there are no cases",
        ),
        (
            vec![path("plugins"), "--cases".into(), path("gone.toml")],
            "gone.toml:1:1: cannot read",
        ),
        (vec![path("gone.wasm"), "--cases".into(), path("one.toml")], "gone.wasm"),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
