//! Tests beside a plugin: a new version serves once it has passed them.

use std::process::Command;

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, TestGateway, TestProcess, eventually, guests, http};

use super::setup::{PATIENT, base, route};

const FILE: &str = "plugins/changing.wasm";
const TESTS: &str = "plugins/changing.tests.toml";

fn config() -> String {
    [
        base(),
        format!("[plugin.changing]\n{PATIENT}\n"),
        route("version", "", "plugin = \"changing\""),
    ]
    .concat()
}

/// Cases that only this version passes.
fn cases(version: &str) -> String {
    format!(
        "# One case.\n[[case]]\nname = \"it says which it is\"\nas = \"integration\"\nexpect = {{ body = \"{version}\" }}\n"
    )
}

fn version(gateway: &TestGateway) -> String {
    http(gateway.addr("public"), "GET", "/version", &[], b"").text()
}

fn files() -> TestFiles {
    TestFiles::default()
        .with(FILE, guests::guest("version-one"))
        .with(TESTS, cases("v1"))
}

#[test]
fn a_version_that_fails_a_test_does_not_serve_and_the_one_before_does() {
    let process = TestProcess::start_in(files(), &config(), &[]).unwrap();
    let version = || http(process.addr("public"), "GET", "/version", &[], b"").text();
    let write = |name: &str, bytes: &[u8]| {
        let aside = process.dir().join("aside");
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, process.dir().join(name)).unwrap();
    };
    assert_eq!(version(), "v1");
    let passed = process.messages("plugin passed its tests");
    assert_eq!(passed[0]["fields"]["cases"], 1, "{passed:?}");

    write(FILE, &guests::guest("version-two"));
    let refused = http(process.admin(), "POST", "/reload", &[], b"");
    let said = refused.text();
    assert_eq!(refused.status, 422, "{said}");
    for words in [
        "plugin `changing` v2",
        "does not pass its tests: case `it says which it is`",
        "changing.tests.toml:2",
        "body: expected v1, got v2",
        "gatewright plugin test",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(version(), "v1");

    // By itself, once the tests are those of the version.
    write(TESTS, cases("v2").as_bytes());
    eventually("it serves", || (version() == "v2").then_some(()));
}

#[test]
fn a_gateway_does_not_start_with_a_plugin_that_fails_a_test() {
    let files = files().with(TESTS, cases("v9"));
    let said = files.check(&config()).unwrap_err();
    assert!(said.contains("body: expected v9, got v1"), "{said}");
    let said = files.try_start(&config()).err().unwrap();
    assert!(said.contains("body: expected v9, got v1"), "{said}");
}

#[test]
fn tests_that_are_wrong_or_too_many_stop_a_reload_and_say_where() {
    let gateway = files().start(&config());
    let large = format!("#{}\n{}", "-".repeat(1 << 20), cases("v1"));
    let trap = "[[case]]\nname = \"slow\"\nas = \"stage\"\nexpect = { failure = \"trap\" }\n";
    for (tests, words) in [
        (
            "[[case]]\nnaem = \"a\"\n",
            "changing.tests.toml:2:1: case[0].naem: unknown key",
        ),
        ("", "has no case in"),
        (large.as_str(), "it has more than 1048576 bytes"),
        (trap, "failure: expected trap, got none"),
    ] {
        gateway.write(TESTS, tests);
        let said = gateway.reload().unwrap_err();
        assert!(said.contains(words), "{said}");
        assert_eq!(version(&gateway), "v1");
    }
    std::fs::remove_file(gateway.dir().join(TESTS)).unwrap();
    gateway.reload().unwrap();
}

#[test]
fn tests_leave_no_trace_in_what_requests_are_counted_by() {
    let many = (0..50).map(|number| cases("v1").replace("which it is", &format!("it {number}")));
    let files = files().with(TESTS, many.collect::<String>());
    let gateway = files.start(&config());
    assert_eq!(
        gateway.metric("gatewright_plugin_calls_total{plugin=\"changing\"}"),
        0.0
    );
    assert_eq!(version(&gateway), "v1");
    assert_eq!(
        gateway.metric("gatewright_plugin_calls_total{plugin=\"changing\"}"),
        1.0
    );
    assert_eq!(gateway.metric("gatewright_plugin_runtimes"), 1.0);
}

#[test]
fn plugin_test_finds_the_tests_beside_the_plugin() {
    let files = files();
    let run = |file: &str| {
        let mut command = Command::new(binary());
        command
            .current_dir(files.dir())
            .args(["plugin", "test", "--patience", "100", file]);
        command.output().expect("the binary can be run")
    };
    let output = run(FILE);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && printed.contains("1 passed, 0 failed"),
        "{printed}"
    );
    std::fs::rename(files.dir().join(TESTS), files.dir().join("plugins/other.tests.toml")).unwrap();
    let said = String::from_utf8(run(FILE).stderr).unwrap();
    assert!(
        said.contains("there is neither a file plugins/changing.tests.toml nor a folder"),
        "{said}"
    );
}
