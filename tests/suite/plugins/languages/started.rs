//! What `gatewright plugin new` starts builds, passes its own test, and works in the gateway that comes with it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use gatewright_tests::body::channel;
use gatewright_tests::guests::root;
use gatewright_tests::process::binary;
use gatewright_tests::{Origin, TestFiles, TestGateway, http};
use http::{Request, Response};

use super::{gatewright, succeeded, with_tools};

const KINDS: [&str; 5] = [
    "authorizer",
    "request-transform",
    "response-transform",
    "body-filter",
    "integration",
];

/// Starts a plugin of each kind, builds it, and asks it in the gateway that comes with it.
fn every_kind(language: &str) {
    kinds(language, &KINDS);
}

fn kinds(language: &str, kinds: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let target = root().join("target/guests");
    for kind in kinds {
        let name = format!("my-{kind}");
        let started = gatewright(folder.path())
            .args(["plugin", "new", "-l", language, "-k", kind, &name])
            .output();
        succeeded(&started.unwrap());
        let mut build = gatewright(folder.path());
        build.args(["plugin", "build", &name, "--target-dir"]).arg(&target);
        assert_eq!(
            succeeded(&build.output().unwrap()).trim(),
            format!("{name}/{name}.wasm")
        );
        succeeded(&own_test(language, &folder.path().join(&name)).output().unwrap());
        let mut test = gatewright(folder.path());
        let tested = succeeded(
            &test
                .args(["plugin", "test", "--patience", "20", &name])
                .output()
                .unwrap(),
        );
        assert!(tested.contains("3 passed, 0 failed"), "{tested}");
        if matches!(language, "c" | "rust") {
            // As its `gateway.toml` says, the default limits are enough for it.
            let mut inspect = gatewright(folder.path());
            inspect.args(["plugin", "inspect", &format!("{name}/{name}.wasm")]);
            succeeded(&inspect.output().unwrap());
        }
        let gateway = in_folder(&folder.path().join(&name), &name);
        let get = |target: &str, headers: &[(&str, &str)]| http(gateway.addr("public"), "GET", target, headers, b"");
        let said = |word: &str| get("/", &[("authorization", &format!("Bearer {word}"))]).status;
        match *kind {
            "authorizer" => assert_eq!((said("sesame"), said("open")), (200, 401)),
            "request-transform" => assert_eq!((get("/", &[]).status, get("/", &[("x-tag", "red")]).status), (200, 400)),
            "body-filter" => {
                assert_eq!(get("/", &[]).text(), "> gold\n> and silver\n");
                stays_flat(language, &folder.path().join(&name), &name);
            }
            "response-transform" => assert_eq!(get("/", &[]).header("x-tag"), Some("blue")),
            _ => {
                let greeted = get("/?name=Ada", &[]);
                assert!(
                    greeted.status == 200 && greeted.text().contains("Hello, Ada!"),
                    "{greeted:?}"
                );
                assert_eq!(get("/", &[]).status, 400);
            }
        }
    }
}

/// MiB of the body that a filter in any language must pass in flat memory.
const LONG: usize = 1024;

/// A filter that hands on what it is given takes no more memory for a body of 1 GiB than for one of 16 MiB: a leak of 16 bytes for each
/// of its 131 072 lines, or of one byte in 500, would show.
fn stays_flat(language: &str, folder: &Path, name: &str) {
    const MIB: usize = 1 << 20;
    const LINE: usize = 8 << 10;
    let origin = Origin::start(|request: Request<_>| async move {
        let mib: usize = request.uri().query().and_then(|query| query.parse().ok()).unwrap();
        let mut line = vec![b'x'; LINE];
        line[LINE - 1] = b'\n';
        let piece = Bytes::from(line);
        let (sender, body) = channel();
        for _ in 0..mib * MIB / LINE {
            let _ = sender.send(Ok(piece.clone()));
        }
        Response::builder()
            .header("content-type", "text/plain")
            .body(body)
            .unwrap()
    });
    let config = std::fs::read_to_string(folder.join("gateway.toml")).unwrap();
    let (config, _route) = config.split_once("[[route]]").unwrap();
    let route = format!(
        "[upstream.app]\ntargets = [{{ url = \"{}\" }}]\n[[route]]\nname = \"long\"\npath = \"/\"\ntimeout = \"10m\"\n\
         chain = [{{ plugin = \"{name}\", config = {{ mark = \"> \" }} }}]\nintegration = {{ http = \"app\" }}\n",
        origin.url()
    );
    let gateway = start_in(folder, name, &[config, &route].concat());
    let most = |mib: usize| {
        let began = Instant::now();
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "600", "--output", "/dev/null"])
            .args(["--write-out", "%{http_code} %{size_download}"])
            .arg(format!("{}/?{mib}", gateway.url("public")))
            .output()
            .unwrap();
        let got = String::from_utf8_lossy(&curl.stdout).into_owned();
        // Each line is marked by two bytes.
        let expected = format!("200 {}", mib * MIB / LINE * (LINE + 2));
        assert_eq!(got, expected, "{language}: {curl:?} {:?}", gateway.access_log().pop());
        println!("{language}: {mib} MiB in {:?}", began.elapsed());
        gateway.metric(&format!(
            "gatewright_plugin_memory_high_water_bytes{{plugin=\"{name}\",route=\"long\"}}"
        )) as usize
    };
    let (short, long) = (most(16), most(LONG));
    assert!(short > 0);
    assert!(
        long <= short + 2 * MIB,
        "{language}: {short} bytes after 16 MiB, {long} after {LONG} MiB"
    );
}

/// The test that a new plugin has, run as its page says.
fn own_test(language: &str, folder: &Path) -> Command {
    let test = match language {
        "c" => "python-zig cc -std=c23 -g -fsanitize=undefined -I build/bindings test.c -o build/test && build/test",
        "go" => "go test .",
        "javascript" | "typescript" => "npm test --silent",
        "python" => "python3 -m unittest",
        _ => "cargo test --quiet",
    };
    let mut command = Command::new("sh");
    with_tools(command.args(["-c", test]).current_dir(folder))
        .env("CARGO_TARGET_DIR", root().join("target/guests-native"));
    command
}

/// The gateway of a new plugin, at another address.
fn in_folder(folder: &Path, name: &str) -> TestGateway {
    let config = std::fs::read_to_string(folder.join("gateway.toml")).unwrap();
    start_in(folder, name, &config)
}

fn start_in(folder: &Path, name: &str, config: &str) -> TestGateway {
    let config = ["127.0.0.1:8000", "127.0.0.1:9901"]
        .iter()
        .fold(config.to_owned(), |config, address| {
            assert!(config.contains(address), "{config}");
            config.replace(address, "127.0.0.1:0")
        });
    let wasm = std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
    // Machines that run tests are slow.
    let config = config.replace("\"1s\"", "\"10s\"");
    TestFiles::default().with(&format!("{name}.wasm"), wasm).start(&config)
}

#[test]
fn a_test_in_node_has_the_services_that_the_plugin_imports() {
    let folder = tempfile::tempdir().unwrap();
    let new = ["plugin", "new", "-l", "javascript", "-k", "authorizer", "asks"];
    succeeded(&gatewright(folder.path()).args(new).output().unwrap());
    let plugin = r#"
import { get as secret } from "gatewright:plugin/secrets@0.1.0";
import { get, set, compareAndSet, delete as forget } from "gatewright:plugin/kv@0.1.0";
import { send } from "gatewright:plugin/http-client@0.1.0";
import { add } from "gatewright:plugin/counters@0.1.0";
import { write } from "gatewright:plugin/log@0.1.0";
import { unixNanos } from "gatewright:plugin/clock@0.1.0";
import { decode, encode } from "./gatewright.js";

export function ask(name) {
  write("info", "asked", [["name", name]]);
  const before = get("sessions", name);
  set("sessions", name, encode("seen"), undefined);
  const lost = compareAndSet("sessions", name, 99, encode("other"), undefined);
  forget("sessions", "nobody");
  const { head, body } = send({ method: "GET", url: "https://idp.example.com", fields: [], body: new Uint8Array(0) });
  return [decode(secret("KEY")), before && decode(before.value), lost, head.status, decode(body), add("asked", name, 1, 1000), unixNanos()];
}
export function refused() {
  try {
    secret("OTHER");
  } catch (error) {
    return error.payload.tag;
  }
}
"#;
    let test = r#"
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, refused } from "./plugin.js";
import { services } from "./testing/services.js";

test("a plugin's services are those of the test", () => {
  services.reset();
  services.secrets.KEY = "hunter2";
  services.stores.sessions = { alice: "since monday" };
  services.counters.asked = {};
  services.answer = ({ url }) => ({ status: 201, body: url });
  services.now = 5;
  assert.deepEqual(ask("alice"), ["hunter2", "since monday", null, 201, "https://idp.example.com", 1, 5_000_000]);
  assert.equal(ask("bob")[1], null);
  assert.equal(services.logs[1].fields[0][1], "bob");
  assert.equal(services.requests.length, 2);
  assert.equal(refused(), "not-granted");
});
"#;
    std::fs::write(folder.path().join("asks/plugin.js"), plugin).unwrap();
    std::fs::write(folder.path().join("asks/plugin.test.js"), test).unwrap();
    succeeded(&own_test("javascript", &folder.path().join("asks")).output().unwrap());
}

#[test]
fn a_plugin_has_the_name_that_it_was_started_with_wherever_its_folder_is() {
    let folder = tempfile::tempdir().unwrap();
    for language in ["c", "go", "javascript", "rust"] {
        let place = format!("in-{language}");
        let new = [
            "plugin",
            "new",
            "-l",
            language,
            "-k",
            "authorizer",
            "-d",
            &place,
            "my-doorkeeper",
        ];
        succeeded(&gatewright(folder.path()).args(new).output().unwrap());
        let mut build = gatewright(folder.path());
        build
            .args(["plugin", "build", &place, "--target-dir"])
            .arg(root().join("target/guests"));
        assert_eq!(
            succeeded(&build.output().unwrap()).trim(),
            format!("{place}/my-doorkeeper.wasm")
        );
        let config = std::fs::read_to_string(folder.path().join(&place).join("gateway.toml")).unwrap();
        assert!(config.contains("[plugin.my-doorkeeper]"), "{config}");
    }
}

#[test]
fn what_is_started_in_c_works() {
    every_kind("c");
}

#[test]
fn what_is_started_in_go_works() {
    every_kind("go");
}

#[test]
fn what_is_started_in_javascript_works() {
    every_kind("javascript");
}

#[test]
fn what_is_started_in_python_works() {
    // CPython takes long to build and to compile; the authorizer is what the test of its page starts.
    kinds("python", &KINDS[1..]);
}

#[test]
fn what_is_started_in_rust_works() {
    every_kind("rust");
}

#[test]
fn what_is_started_in_typescript_works() {
    every_kind("typescript");
}

#[test]
fn four_commands_lead_from_nothing_to_an_authorizer_in_python() {
    let page = std::fs::read_to_string(root().join("docs/plugins/python.md")).unwrap();
    let block = page.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let [new, build, run, curl] = commands[..] else {
        panic!("not four commands: {block}")
    };
    let folder = tempfile::tempdir().unwrap();
    // Nothing is there but the gateway's program and what the machine has.
    let program = binary().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&path))).unwrap();
    for command in [new, build] {
        let mut shell = Command::new("sh");
        let shell = with_tools(shell.args(["-c", command]).current_dir(&folder)).env("PATH", &path);
        succeeded(&shell.output().unwrap());
    }
    assert!(folder.path().join("doorkeeper/.venv/bin/componentize-py").is_file());
    assert_eq!(run, "gatewright run doorkeeper/gateway.toml &");
    let gateway = in_folder(&folder.path().join("doorkeeper"), "doorkeeper");
    assert_eq!(curl, "curl -i http://127.0.0.1:8000/ -H 'authorization: Bearer sesame'");
    let answer = http(
        gateway.addr("public"),
        "GET",
        "/",
        &[("authorization", "Bearer sesame")],
        b"",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "gold and silver\n"));
    assert_eq!(http(gateway.addr("public"), "GET", "/", &[], b"").status, 401);
}
