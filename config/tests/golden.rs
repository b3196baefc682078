//! What configurations mean, and what is said of wrong ones, as golden files. `UPDATE_GOLDEN=1` rewrites them.
//! Also: every example loads, `complete.toml` has every key of the schema, and no text makes the crate panic.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the message; clippy sees only `#[test]` functions as tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gatewright_config::cases::parse_cases;
use gatewright_config::{load, load_keys, parse, parse_credentials, parse_keys, parse_lock, schema};
use serde_json::Value;

/// Where the golden files say that they are; nothing is opened there.
const PLACE: &str = "/etc/gatewright/gateway.toml";

#[test]
fn a_configuration_means_what_its_golden_file_says() {
    for file in files("tests/meaning") {
        let text = fs::read_to_string(&file).unwrap();
        let config = parse(&text, Path::new(PLACE)).unwrap_or_else(|errors| panic!("{}:\n{errors}", file.display()));
        same(
            &file.with_extension("json"),
            &(serde_json::to_string_pretty(&config).unwrap() + "\n"),
        );
    }
}

#[test]
fn a_wrong_configuration_is_answered_with_its_golden_text() {
    for file in files("tests/errors") {
        let text = fs::read_to_string(&file).unwrap();
        let errors = match file.file_stem().unwrap().to_str().unwrap() {
            name if name.starts_with("cases-") => parse_cases(&text, Path::new("cases.toml")).map(|_| ()),
            name if name.starts_with("credentials-") => {
                parse_credentials(&text, Path::new("credentials.toml")).map(|_| ())
            }
            name if name.starts_with("lock-") => parse_lock(&text, Path::new("gateway.lock")).map(|_| ()),
            name if name.starts_with("keys-") => parse_keys(&text, Path::new("keys.toml")).map(|_| ()),
            _ => parse(&text, Path::new("gateway.toml")).map(|_| ()),
        };
        let errors = errors.err().unwrap_or_else(|| panic!("{} is accepted", file.display()));
        assert!(
            errors.errors.is_sorted_by_key(|error| (error.line, error.column)),
            "{errors}"
        );
        same(&file.with_extension("txt"), &format!("{errors}\n"));
    }
}

#[test]
fn every_example_loads() {
    for file in files("examples") {
        let is_keys = file
            .file_stem()
            .is_some_and(|name| name.to_string_lossy().ends_with("-keys"));
        let result = if is_keys {
            load_keys(&file).map(drop)
        } else {
            load(&file).map(drop)
        };
        if let Err(errors) = result {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_complete_example_has_every_key_of_the_schema() {
    let text = fs::read_to_string(here("examples/complete.toml")).unwrap();
    let mut there = BTreeSet::new();
    collect_keys(&toml::from_str(&text).unwrap(), &mut there);
    let mut defined = BTreeSet::new();
    collect_properties(&schema(), &mut defined);
    assert!(defined.len() > 80, "{defined:?}");
    let missing: Vec<_> = defined.difference(&there).collect();
    assert!(missing.is_empty(), "not in complete.toml: {missing:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_too() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("gateway.toml");
    assert!(load(&missing).unwrap_err().to_string().contains("cannot read the file"));
    fs::write(&missing, b"# \xff\n").unwrap();
    assert!(load(&missing).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn no_text_makes_it_panic() {
    let text = fs::read_to_string(here("examples/complete.toml")).unwrap();
    let try_text = |text: &str| {
        if let Err(errors) = parse(text, Path::new(PLACE)) {
            assert!(!errors.errors.is_empty());
            assert!(!errors.to_string().is_empty());
        }
    };
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for (index, at) in starts.iter().copied().enumerate() {
        try_text(&text[..at]);
        let rest = &text[starts.get(index + 1).copied().unwrap_or(text.len())..];
        // Another character in its place, in turn: each means something to the language.
        let other = ["", "\"", "é", "{", "0", "]", "\n", "%", "-", "x"][index % 10];
        try_text(&format!("{}{other}{rest}", &text[..at]));
    }
    for (index, _) in text.lines().enumerate() {
        let without: Vec<&str> = text
            .lines()
            .enumerate()
            .filter(|(at, _)| *at != index)
            .map(|(_, line)| line)
            .collect();
        try_text(&without.join("\n"));
    }
}

#[test]
fn chains_that_name_each_other_without_end_are_refused() {
    let listener = "[listener.a]\naddress = \"127.0.0.1:1\"\n[chain]\n";
    let deep: String = (0..10_000)
        .map(|n| format!("c{n:05} = [\"c{:05}\"]\n", n + 1))
        .collect();
    assert!(parse(&format!("{listener}{deep}"), Path::new(PLACE)).is_err());
    let wide: String = (0..40)
        .map(|n| format!("c{n:02} = [\"c{:02}\", \"c{:02}\"]\n", n + 1, n + 1))
        .collect();
    let last = "c40 = [{ use = \"throttle\", rate = \"1/s\" }]\n";
    assert!(parse(&format!("{listener}{wide}{last}"), Path::new(PLACE)).is_err());
}

#[test]
fn a_hundred_thousand_routes_load_in_seconds() {
    let mut text =
        "[listener.a]\naddress = \"127.0.0.1:1\"\n[upstream.u]\ntargets = [{ url = \"http://a\" }]\n".to_owned();
    for n in 0..100_000 {
        text.push_str(&format!(
            "[[route]]\nname = \"r{n}\"\npath = \"/a{n}/{{id}}\"\nmethods = [\"GET\"]\nintegration = {{ http = \"u\" }}\n"
        ));
    }
    let start = std::time::Instant::now();
    let config = parse(&text, Path::new(PLACE)).unwrap();
    assert_eq!(config.routes.len(), 100_000);
    println!("100000 routes: {:?}", start.elapsed());
    // Wide of the mark on purpose: it fails when the cost is quadratic, not when the machine is busy.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(here(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{directory} is empty");
    files
}

fn same(golden: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, text).unwrap();
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    assert!(
        expected == text,
        "{} differs; UPDATE_GOLDEN=1 rewrites it. It is now:\n{text}",
        golden.display()
    );
}

fn collect_keys(value: &toml::Value, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                keys.insert(key.clone());
                collect_keys(value, keys);
            }
        }
        toml::Value::Array(values) => values.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

fn collect_properties(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect_properties(value, keys));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_properties(value, keys)),
        _ => {}
    }
}
