//! The tests of HTTP caches at cache-tests.fyi, which `cargo xtask test` installs, run through a gateway.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gatewright_tests::TestGateway;
use gatewright_tests::guests::root;
use serde_json::Value;

use crate::setup::routed;

/// Of those that every cache must pass. Of the others, some cannot be passed by a proxy whose own answer tells that the upstream is
/// gone, some contradict each other.
const REQUIRED: usize = 149;
/// What these want contradicts RFC 9111, section 5.1: of an `Age` with several values the first counts, and one that is no number
/// is ignored.
const CONTRADICTING: [&str; 9] = [
    "age-parse-dup-0",
    "age-parse-dup-0-twoline",
    "age-parse-dup-old",
    "age-parse-float",
    "age-parse-negative",
    "age-parse-nonnumeric",
    "age-parse-numeric-parameter",
    "age-parse-parameter",
    "age-parse-prefix-twoline",
];
/// None that has this in its name may fail.
const NEVER: [&str; 5] = ["private", "no-store", "authorization", "cookie", "Cookie"];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn package() -> PathBuf {
    root().join("target/tools/http-cache-tests/node_modules/http-cache-tests")
}

/// The suite's own server, and where it listens.
fn serve() -> (Server, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("node");
    command
        .arg(package().join("server/server.mjs"))
        .current_dir(folder.path())
        .env("npm_config_protocol", "http")
        .env("npm_config_port", "0")
        .env("npm_config_pidfile", folder.path().join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let child = command.spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("cannot start node, which `cargo xtask test` installs: {error}"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let port = line.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    // What it says is read, so that it never waits for somebody who does.
    std::thread::spawn(move || lines.for_each(drop));
    (Server(child), format!("http://127.0.0.1:{port}"))
}

fn run(cache: &str) -> BTreeMap<String, Value> {
    assert!(
        package().is_dir(),
        "run `cargo xtask test` once: it installs http-cache-tests"
    );
    let (_server, url) = serve();
    let route = format!(
        "[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\nchain = [{cache}]\nintegration = {{ http = \"app\" }}\n"
    );
    let gateway = TestGateway::start(&routed(&url, &route));
    let script = root().join("tests/suite/cache/conformance.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(package())
        .arg(gateway.url("public"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().rfind(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).unwrap()
}

#[test]
fn the_cache_passes_what_is_required_of_caches() {
    let results = run("{ use = \"cache\", heuristic = true, set_cookie = true }");
    let passed = |result: &Value| result["result"] == true;
    let required: Vec<_> = results
        .iter()
        .filter(|(id, result)| result["kind"] == "required" && !CONTRADICTING.contains(&id.as_str()))
        .collect();
    let failed: Vec<_> = required.iter().filter(|(_, result)| !passed(result)).collect();
    let shown: Vec<_> = failed
        .iter()
        .map(|(id, result)| format!("{id}: {}", result["result"]))
        .collect();
    let optimal = results.values().filter(|result| result["kind"] == "optimal");
    let (good, all) = optimal.fold((0, 0), |(good, all), result| {
        (good + usize::from(passed(result)), all + 1)
    });
    let count = required.len() - failed.len();
    eprintln!(
        "http-cache-tests: {count} of {} required, {good} of {all} optimal",
        required.len()
    );
    if std::env::var_os("GATEWRIGHT_TEST_LOG").is_some() {
        for (id, result) in results.iter().filter(|(_, result)| !passed(result)) {
            eprintln!("{id} ({}): {}", result["kind"], result["result"]);
        }
    }
    assert!(required.len() > 150, "{}", required.len());
    assert!(
        count >= REQUIRED,
        "{count} of {}:\n{}",
        required.len(),
        shown.join("\n")
    );
    let never: Vec<_> = failed
        .iter()
        .filter(|(id, _)| NEVER.iter().any(|name| id.contains(name)))
        .collect();
    assert!(never.is_empty(), "{never:#?}");
}
