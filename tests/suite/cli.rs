//! The command line: what it prints, and how it ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gatewright_tests::TestFiles;
use gatewright_tests::process::binary;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const GOOD: &str = "[listener.public]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"a\"\npath = \"/a\"\n\
                    integration = { respond = 200 }\n";

fn gatewright(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config/examples")
        .join(name)
}

#[test]
fn check_says_ok_and_ends_with_0() {
    let files = TestFiles::default();
    let config = files.write_config(GOOD);
    let config = config.to_str().unwrap();
    let output = gatewright(&["check", config]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), format!("{config}: ok\n"))
    );
    let output = gatewright(&["check", "--format", "json", config]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &shown["ok"], &shown["errors"]),
        (Some(0), &true.into(), &serde_json::json!([]))
    );
    assert!(stderr(&output).is_empty());
}

#[test]
fn check_says_everything_that_is_wrong_and_ends_with_2() {
    let files = TestFiles::default().with("bad.toml", format!("{GOOD}[upstream.a]\ntarget = 1\n[nonsense]\n"));
    let config = files.dir().join("bad.toml");
    let config = config.to_str().unwrap();
    let output = gatewright(&["check", config]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).is_empty());
    for place in ["bad.toml:8:1", "bad.toml:9:"] {
        assert!(stderr(&output).contains(place), "{place}: {}", stderr(&output));
    }
    let output = gatewright(&["check", "--format", "json", config]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), ""));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["ok"], &shown["file"]), (&false.into(), &config.into()));
    let errors = shown["errors"].as_array().unwrap();
    let lines: Vec<&Value> = errors.iter().map(|error| &error["line"]).collect();
    assert!(lines.contains(&&8.into()) && lines.contains(&&9.into()), "{shown:#}");
    assert!(
        errors
            .iter()
            .all(|error| !error["message"].as_str().unwrap().is_empty()),
        "{shown:#}"
    );
}

#[test]
fn check_looks_at_what_the_file_names_unless_told_not_to() {
    let files = TestFiles::default();
    let config = files.write_config(&format!(
        "{GOOD}chain = [{{ use = \"api-key\", keys = \"none.toml\", header = \"k\" }}]\n"
    ));
    let config = config.to_str().unwrap();
    let output = gatewright(&["check", config]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.toml"), "{}", stderr(&output));
    assert_eq!(gatewright(&["check", "--file-only", config]).status.code(), Some(0));
}

#[test]
fn check_says_where_the_file_names_what_cannot_be_used() {
    let files = TestFiles::default();
    let config = files.write_config(&format!(
        "{GOOD}[upstream.a]\ntargets = [{{ url = \"https://localhost\" }}]\nca = \"none.pem\"\n"
    ));
    let output = gatewright(&["check", "--format", "json", config.to_str().unwrap()]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &shown["errors"][0];
    assert_eq!(
        (&error["line"], &error["column"], &error["key"]),
        (&9.into(), &6.into(), &"upstream.a.ca".into()),
        "{shown:#}"
    );
    assert!(error["message"].as_str().unwrap().contains("none.pem"), "{shown:#}");
}

#[test]
fn check_explains_a_route_with_its_chain_its_bodies_and_their_memory() {
    let files = TestFiles::default().with_guests(&["rewrites", "decides"]);
    let config = files.write_config(&format!(
        "{GOOD}[plugins]\ndirectory = \"plugins\"\n[[route]]\nname = \"chained\"\npath = \"/b/{{id}}\"\nmethods = [\"POST\"]\n\
         chain = [{{ use = \"throttle\", rate = \"5/s\" }}, {{ plugin = \"decides\", identity = [\"path:id\"], config = {{ secret = \"opensesame\" }} }}, {{ plugin = \"rewrites\", body = \"2MiB\" }}]\n\
         integration = {{ respond = 200 }}\n"
    ));
    let config = config.to_str().unwrap();
    let output = gatewright(&["check", "--explain", "chained", config]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for words in [
        "route `chained`, line 9",
        "/b/{id}",
        "1. throttle, line 13",
        "5/s",
        "2. plugin:decides, line 13",
        "authorizer",
        "path:id",
        "config        secret",
        "3. plugin:rewrites, line 13",
        "request body, at most 10MiB",
        "rewrites            waits for all of it, at most 2MiB; a copy goes into its instance; 413 above",
        "respond:200         makes one of at most 0B",
        "at most 20 MiB for one request",
        "bodies over 2MiB are answered 413 because of plugin `rewrites`",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(
        !shown.contains("opensesame"),
        "the configuration of a plugin may hold secrets: {shown}"
    );

    let output = gatewright(&["check", "--explain", "chained", "--format", "json", config]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["chain"][2]["stage"], "plugin:rewrites", "{shown:#}");
    assert_eq!(shown["bodies"]["memory"]["bytes"], 20 << 20, "{shown:#}");
    assert_eq!(shown["matches"]["path"], "/b/{id}");
    assert!(!shown.to_string().contains("opensesame"), "{shown:#}");

    let output = gatewright(&["check", "--explain", "chaned", config]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `chained`?"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn check_leaves_nothing_behind_and_disturbs_nobody() {
    let files = TestFiles::default();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = files.write_config(&GOOD.replace("127.0.0.1:0", &other.local_addr().unwrap().to_string()));
    // The port is somebody's: checking opens none. Nor does it open the access log.
    assert_eq!(gatewright(&["check", config.to_str().unwrap()]).status.code(), Some(0));
    // Only compiled plugins are kept, for the start that follows.
    let mut left: Vec<_> = std::fs::read_dir(files.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.retain(|name| name != ".gatewright");
    assert_eq!(left, ["gateway.toml"]);
}

#[test]
fn the_schema_accepts_every_example_and_no_nonsense() {
    let output = gatewright(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in ["complete.toml", "minimal.toml"] {
        let errors: Vec<String> = validator
            .iter_errors(&json(&std::fs::read_to_string(example(name)).unwrap()))
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    assert!(validator.is_valid(&json(GOOD)));
    for wrong in ["addres = 1", "[[route]]\nnmae = \"b\"", "[server]\nworkers = \"many\""] {
        assert!(!validator.is_valid(&json(&format!("{GOOD}\n{wrong}\n"))), "{wrong}");
    }
}

/// TOML as an editor's validator sees it.
fn json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
            toml::Value::Array(values) => values.into_iter().map(convert).collect(),
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(value) => value.into(),
            toml::Value::Datetime(time) => time.to_string().into(),
        }
    }
    convert(toml::Value::Table(text.parse().unwrap()))
}

#[test]
fn a_new_key_is_shown_once_and_its_digest_is_what_the_file_needs() {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let output = gatewright(&["key", "al\"ice"]);
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        let shown = String::from_utf8(output.stderr.clone()).unwrap();
        let key = shown.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        let digest: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(key.len(), 43, "256 bits: {key}");
        assert_eq!(shown.matches(&key).count(), 1);
        assert!(!text.contains(&key), "`>> keys.toml` would keep the key: {text}");
        assert!(text.contains(&digest), "{text}");
        let parsed = gatewright_config::parse_keys(&text, Path::new("keys.toml")).unwrap();
        assert!(
            format!("{parsed:?}").contains("al"),
            "the whole output is a file of keys"
        );
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_new_password_gets_into_no_file_with_its_hash() {
    let output = gatewright(&["password", "alice"]);
    assert_eq!(output.status.code(), Some(0));
    let shown = String::from_utf8(output.stderr.clone()).unwrap();
    let password = shown.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(password.len(), 43, "{shown}");
    let text = stdout(&output);
    assert!(
        text.starts_with("alice:$argon2id$") && text.lines().count() == 1,
        "{text}"
    );
    assert!(!text.contains(&password), "{text}");
}

#[test]
fn a_key_of_ones_own_is_read_from_standard_input_and_not_shown() {
    let give = |key: &str| {
        let mut command = Command::new(binary());
        command
            .args(["key", "bob", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = give("my own key\n");
    let digest: String = Sha256::digest("my own key")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(
        stdout(&output).contains(&digest) && !stdout(&output).contains("my own key"),
        "{}",
        stdout(&output)
    );
    assert_eq!(give("\n").status.code(), Some(2), "an empty key would let everybody in");
}

/// The lines of a section of clap's help, without the wrapping.
fn section<'h>(help: &'h str, name: &str) -> Vec<&'h str> {
    let lines = help.lines().skip_while(|line| *line != name).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn every_command_argument_and_option_is_described() {
    let mut commands = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(command) = commands.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["-h"]).collect();
        let output = gatewright(&arguments);
        let help = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let first = help.lines().next().unwrap_or_default();
        assert!(
            first.len() > 10 && !first.starts_with("Usage"),
            "{command:?} does not say what it does: {help}"
        );
        for name in ["Commands:", "Arguments:", "Options:"] {
            for line in section(&help, name) {
                let (what, description) = line.trim_start().split_once("  ").unwrap_or((line, ""));
                assert!(
                    description.trim().len() > 3,
                    "{command:?}: `{}` is not described: {help}",
                    what.trim()
                );
                seen += 1;
                if name == "Commands:" && what != "help" {
                    commands.push(command.iter().cloned().chain([what.to_owned()]).collect());
                }
            }
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn what_is_not_understood_ends_with_2_and_says_what_there_is() {
    for arguments in [
        &["serve"][..],
        &["run", "--nonsense"],
        &["check", "--format", "xml"],
        &["run", "--log", "=,=", "x"],
    ] {
        let output = gatewright(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(
            stderr(&output).starts_with("error: "),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    let output = gatewright(&["--version"]);
    assert!(stdout(&output).starts_with("gatewright "), "{}", stdout(&output));
}

#[test]
fn warnings_are_apart_from_mistakes_and_are_denied_when_told() {
    let text = GOOD.replace("path = \"/a\"", "path = \"/{rest+}\"");
    let files = TestFiles::default();
    let config = files.write_config(&text);
    let config = config.to_str().unwrap();
    let output = gatewright(&["check", config]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), format!("{config}: ok\n"));
    let said = stderr(&output);
    assert!(
        said.starts_with("warning: ")
            && said.contains("serves every path but `/`")
            && said.contains("hint: write `/{rest*}`"),
        "{said}"
    );
    let output = gatewright(&["check", "--format", "json", config]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["ok"], &shown["errors"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(shown["warnings"][0]["key"], "route[0]", "{shown}");
    for format in ["human", "json"] {
        let output = gatewright(&["check", "--deny-warnings", "--format", format, config]);
        assert_eq!(output.status.code(), Some(2), "{format}");
    }
    let files = TestFiles::default();
    let good = files.write_config(GOOD);
    let output = gatewright(&["check", "--deny-warnings", good.to_str().unwrap()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn every_command_takes_the_configuration_as_an_option() {
    let files = TestFiles::default();
    let config = files.write_config(GOOD);
    let config = config.to_str().unwrap();
    for arguments in [
        &["check", "--config", config][..],
        &["check", "-c", config],
        &["check", config],
        &["config", "--config", config],
        &["config", config],
        &["explain", "--config", config, "GET", "http://localhost/a"],
    ] {
        let output = gatewright(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
    for command in ["run", "check", "config", "explain", "usage"] {
        let help = stdout(&gatewright(&[command, "--help"]));
        assert!(help.contains("-c, --config <FILE>"), "{command}: {help}");
    }
    for command in [
        &["cache", "purge"][..],
        &["plugin", "lock"],
        &["plugin", "rollback"],
        &["plugin", "verify"],
    ] {
        let help = stdout(&gatewright(&[command, &["--help"]].concat()));
        assert!(help.contains("-c, --config <FILE>"), "{command:?}: {help}");
    }
}

#[test]
fn a_gateway_that_cannot_be_asked_is_a_failure_and_not_a_mistake() {
    let files = TestFiles::default();
    let config = files.write_config(GOOD);
    // Nothing listens on a port that has just been given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (config, free) = (config.to_str().unwrap(), free.to_string());
    for command in [&["cache", "purge", "--all"][..], &["usage"]] {
        let output = gatewright(&[command, &["--config", config, "--address", &free]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("cannot ask the gateway at its admin address"),
            "{command:?}"
        );
    }
    let output = gatewright(&["cache", "purge", "--all", "--config", "/nowhere/gateway.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_version_names_the_commit_and_shells_and_man_know_every_command() {
    let version = stdout(&gatewright(&["--version"]));
    let commit = version.split_once(" (").unwrap().1.trim_end().trim_end_matches(')');
    assert!(version.starts_with("gatewright ") && !commit.is_empty(), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let output = gatewright(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("deny-warnings"), "{shell}");
    }
    let page = stdout(&gatewright(&["man"]));
    assert!(page.contains(".TH gatewright 1") && page.contains("explain"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let output = gatewright(&["man", "--directory", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for name in ["gatewright.1", "gatewright-check.1", "gatewright-cache-purge.1"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}
