//! The tests of HTTP caches at cache-tests.fyi, which `cargo xtask test` installs, run through a gateway.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gatewright_tests::TestGateway;
use gatewright_tests::guests::root;
use serde_json::Value;

use crate::setup::routed;

/// Of those that every cache must pass, so many may fail: some count on two seconds, which a busy machine may not keep.
const SLACK: usize = 2;
/// These stay out, each for a reason.
const OUT: [(&str, &str); 8] = [
    (
        "headers-store-Transfer-Encoding",
        "the origin's unknown transfer coding is a fault of the upstream: 502",
    ),
    (
        "stale-close-must-revalidate",
        "takes the gateway's own 502, without a number of the origin's, for a kept response",
    ),
    ("stale-close-no-cache", "the same"),
    ("stale-close-proxy-revalidate", "the same"),
    ("stale-close-s-maxage=2", "the same"),
    (
        "surrogate-fresh-cc-nostore",
        "its `CAPABILITY_TARGET` is to be replaced by a device's name, and no structured field",
    ),
    // Later editions of the suite only look what a cache does.
    (
        "age-parse-parameter",
        "`7200;foo=bar` is no number of seconds, and ignored",
    ),
    ("age-parse-numeric-parameter", "the same"),
];
/// Of these the suite wants that the response is asked for again. RFC 9111, section 5.1, says since then that of an `Age` with several
/// values the first one is used and the others discarded, and the suite itself, in later editions than the one that is published as
/// a package, that the response is used.
const FIRST_COUNTS: [&str; 4] = [
    // `0`, `7200`; `0, 0`; `0`, `0`; `3600, 3600` of 10 000.
    "age-parse-prefix-twoline",
    "age-parse-dup-0",
    "age-parse-dup-0-twoline",
    "age-parse-dup-old",
];
/// The same of an `Age` that is no number of seconds, which is ignored.
const IGNORED: [&str; 3] = ["age-parse-nonnumeric", "age-parse-negative", "age-parse-float"];
/// None that has this in its name may fail.
const NEVER: [&str; 6] = ["private", "no-store", "authorization", "cookie", "Cookie", "age-parse"];

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
        .arg([&FIRST_COUNTS[..], &IGNORED].concat().join(","))
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
        .filter(|(id, result)| result["kind"] == "required" && !OUT.iter().any(|(out, _)| out == id))
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
    assert!(required.len() > 155, "{}", required.len());
    assert!(
        failed.len() <= SLACK,
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
