//! `gatewright plugin inspect`, `bench` and `build`, with the real program.

use std::path::Path;
use std::process::{Command, Output};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, guests, http};
use serde_json::{Value, json};

use super::setup::{PATIENT, base, route};

fn run(arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("plugin")
        .args(arguments)
        .output()
        .expect("the binary can be run")
}

fn inspect(file: &Path) -> Output {
    run(&["inspect", "--rounds", "20", &file.display().to_string()])
}

#[test]
fn inspect_says_what_a_plugin_is() {
    let output = inspect(&guests::root().join("target/plugins/token-authorizer.wasm"));
    assert!(output.status.success(), "{output:?}");
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    let plugin = &facts["plugin"];
    assert_eq!(plugin["name"], "token-authorizer");
    assert_eq!(plugin["kinds"], json!(["authorizer"]));
    assert_eq!(plugin["needs"]["request_fields"], json!({ "named": ["authorization"] }));
    assert_eq!(plugin["services"], json!(["clock"]));
    assert_eq!(plugin["config_schema"]["required"], json!(["secret", "issuer"]));
    assert_eq!(plugin["file_bytes"], guests::plugin("token-authorizer").len());
    assert!(plugin["compile_ms"].as_u64().is_some() && plugin["compiled_bytes"].as_u64().unwrap() > 10_000);
    assert!(plugin["version"].is_string() && plugin["digest"].as_str().unwrap().len() == 64);
    let cost = facts["new_instance_microseconds"].as_f64().unwrap();
    assert!(cost > 0.0 && cost < 100_000.0, "{cost}");
}

#[test]
fn inspect_says_what_is_wrong_with_what_is_no_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, Vec<u8>, &str); 4] = [
        ("cut.wasm", guests::guest("echo")[..1000].to_vec(), "cut.wasm"),
        ("text.wasm", b"(module)".to_vec(), "WebAssembly text"),
        ("newer.wasm", guests::guest("newer-interface"), "this gateway speaks"),
        (
            "loops.wasm",
            guests::guest("loops-in-describe"),
            "`describe` did not end",
        ),
    ];
    for (name, bytes, words) in files {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let output = inspect(&file);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {message}");
        assert!(message.contains(words) && output.stdout.is_empty(), "{name}: {message}");
    }
    let output = inspect(&folder.path().join("missing.wasm"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn bench_says_what_calls_cost_first_fresh_and_reused() {
    let folder = TestFiles::default().with(
        "cases.toml",
        format!(
            "[plugin]\n{PATIENT}\n[config]\ncurrency = \"EUR\"\nunit_price_cents = 1\n[[case]]\nname = \"a price\"\n\
             request = {{ path = \"/?quantity=1\" }}\n[[case]]\nname = \"refused\"\nconfig = {{}}\nexpect = {{ failure = \"config\" }}\n"
        ),
    );
    let cases = folder.dir().join("cases.toml").display().to_string();
    let file = guests::root().join("target/plugins/quote.wasm").display().to_string();
    let bench = |further: &[&str]| {
        let arguments = [&["bench", &file, "--cases", &cases, "--seconds", "1"], further].concat();
        let output = run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown: Value = serde_json::from_str(&bench(&["--format", "json"])).unwrap();
    let rows = shown["cases"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "a failure is no measure of anything: {shown:#}");
    for instances in ["fresh", "reused"] {
        let cost = &rows[0][instances];
        assert!(cost["calls"].as_u64().unwrap() >= 10, "{shown:#}");
        for number in ["first_microseconds", "median_microseconds", "p99_microseconds"] {
            assert!(cost[number].as_f64().unwrap() > 0.0, "{number}: {shown:#}");
        }
    }
    assert!(shown["memory_high_water_bytes"].as_u64().unwrap() > 1000, "{shown:#}");
    assert!(shown["plugin"]["compiled_bytes"].as_u64().unwrap() > 1000, "{shown:#}");
    let shown: Value = serde_json::from_str(&bench(&["--format", "json", "--instances", "fresh"])).unwrap();
    assert!(shown["cases"][0]["reused"].is_null(), "{shown:#}");
    let table = bench(&[]);
    assert!(table.contains("a price") && table.contains("new instance"), "{table}");
}

#[test]
fn bench_answers_the_requests_of_a_case_again_and_again() {
    let call = r#"{"call":"send","url":"https://idp.example.com/keys"}"#;
    let case = format!(
        "[plugin]\n{PATIENT}\n[[case]]\nname = \"keys\"\nrequest.body = '{call}'\n\
         services.http = [{{ url = \"https://idp.example.com/keys\", body = \"none\" }}]\n"
    );
    let folder = TestFiles::default()
        .with_guests(&["uses-services"])
        .with("plugins/tests/cases.toml", case);
    let file = folder.dir().join("plugins/uses-services.wasm").display().to_string();
    let output = run(&["bench", &file, "--seconds", "1", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(shown["cases"][0]["fresh"]["calls"].as_u64().unwrap() >= 10, "{shown:#}");
}

#[test]
fn bench_measures_no_plugin_that_fails() {
    let folder = TestFiles::default().with_guests(&["traps"]);
    let output = run(&["bench", &folder.dir().join("plugins/traps.wasm").display().to_string()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("case `GET /`: plugin `traps`: it trapped"), "{said}");
}

#[test]
fn build_makes_a_plugin_that_serves() {
    let files = TestFiles::default().with("plugins/.keep", "");
    let text = |path: &Path| path.display().to_string();
    let (plugin, output) = (
        text(&guests::root().join("plugins/quote")),
        text(&files.dir().join("plugins")),
    );
    let target = text(&guests::root().join("target/guests"));
    let built = run(&["build", &plugin, "--output", &output, "--target-dir", &target]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(
        String::from_utf8(built.stdout).unwrap().trim(),
        format!("{output}/quote.wasm")
    );
    let prices = "config = { currency = \"EUR\", unit_price_cents = 250 }";
    let config = [
        base(),
        format!("[plugin.quote]\n{PATIENT}\n"),
        route("quote", "", &format!("plugin = \"quote\", {prices}")),
    ];
    let gateway = files.start(&config.concat());
    assert_eq!(
        http(gateway.addr("public"), "GET", "/quote?quantity=2", &[], b"").status,
        200
    );

    let nothing = run(&["build", &output]);
    let message = String::from_utf8(nothing.stderr).unwrap();
    assert_eq!(nothing.status.code(), Some(2), "{message}");
    assert!(message.contains("is no plugin: it has none of"), "{message}");
}
