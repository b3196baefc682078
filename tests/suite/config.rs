//! G1 and G3: a configuration with a mistake is refused as a whole, and what serves goes on serving.

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_tests::{RawResponse, TestFiles, TestGateway, eventually, http};

const GOOD: &str = r#"
    [listener.public]
    address = "127.0.0.1:0"
    [[route]]
    name = "all"
    path = "/{rest+}"
    integration = { respond = 200, body = "the last good one" }
"#;

fn reload(gateway: &TestGateway) -> RawResponse {
    http(gateway.admin(), "POST", "/reload", &[], b"")
}

fn generation(gateway: &TestGateway) -> u64 {
    http(gateway.admin(), "GET", "/routes", &[], b"").json()["generation"]
        .as_u64()
        .unwrap()
}

/// The configuration is refused with a message that has all of `expected`, and nothing has changed.
#[track_caller]
fn assert_refused(gateway: &TestGateway, config: &str, expected: &[&str]) {
    let before = generation(gateway);
    gateway.write(
        "gateway.toml",
        config.replace("{dir}", &gateway.dir().display().to_string()),
    );
    let response = reload(gateway);
    assert_eq!(response.status, 422, "{config}: {}", response.text());
    let message = response.json()["message"].as_str().unwrap().to_owned();
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "the last good one"),
        "after {config}"
    );
    assert_eq!(generation(gateway), before);
}

fn golden_errors() -> Vec<(PathBuf, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/tests/errors");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "toml"));
    // Files of keys, users, credentials and cases, and lock files, are no configurations.
    files.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !["cases-", "credentials-", "keys-", "lock-", "users-"]
            .iter()
            .any(|other| name.starts_with(other))
    });
    files.sort();
    files
        .into_iter()
        .map(|file| (file.with_extension("txt"), file))
        .collect()
}

#[test]
fn g1_every_kind_of_mistake_is_refused_as_a_whole_with_file_and_line() {
    let gateway = TestGateway::start(GOOD);
    let files = golden_errors();
    assert!(files.len() > 15, "{files:?}");
    for (expected, file) in files {
        let text = fs::read_to_string(&file).unwrap();
        let expected = fs::read_to_string(&expected).unwrap();
        let places: Vec<String> = expected
            .lines()
            .filter(|line| line.starts_with("gateway.toml:"))
            .map(|line| {
                // File, line, column and key; how the mistake is put is the golden file's own test.
                let place = line.match_indices(": ").nth(1).map_or(line, |(end, _)| &line[..end]);
                format!("{}/{place}", gateway.dir().display())
            })
            .collect();
        assert!(!places.is_empty(), "{}", file.display());
        assert_refused(&gateway, &text, &places.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn g1_what_the_configuration_names_must_be_there_and_good() {
    let files = TestFiles::default()
        .with("bad-keys.toml", "[[key]]\nname = \"a\"\nsha256 = \"short\"\n")
        .with("garbage.pem", "no certificate")
        .with("plugins/garbage.wasm", "no WebAssembly");
    let gateway = files.start(GOOD);
    let chain = |stage: &str| {
        GOOD.replace("[[route]]", "[plugins]\ndirectory = \"plugins\"\n[[route]]") + &format!("chain = [{stage}]\n")
    };
    let keys = |file: &str| chain(&format!("{{ use = \"api-key\", keys = \"{file}\", header = \"k\" }}"));
    assert_refused(
        &gateway,
        &keys("no-keys.toml"),
        &["gateway.toml:10:", ": route `all`: ", "no-keys.toml"],
    );
    assert_refused(
        &gateway,
        &keys("bad-keys.toml"),
        &["bad-keys.toml:3:10: key[0].sha256: "],
    );
    assert_refused(
        &gateway,
        &chain("{ plugin = \"none\" }"),
        &["gateway.toml:10:", ": route `all`: ", "none.wasm"],
    );
    assert_refused(
        &gateway,
        &chain("{ plugin = \"garbage\" }"),
        &["gateway.toml:10:", ": route `all`: ", "garbage.wasm"],
    );
    let tls = |certificate: &str| {
        GOOD.replace(
            "[[route]]",
            &format!("tls = {{ certificate = \"{certificate}\", key = \"garbage.pem\" }}\n[[route]]"),
        )
    };
    assert_refused(
        &gateway,
        &tls("none.pem"),
        &["gateway.toml:4:27: listener.public.tls.certificate", "none.pem"],
    );
    assert_refused(
        &gateway,
        &tls("garbage.pem"),
        &["gateway.toml:4:27: listener.public.tls.certificate", "garbage.pem"],
    );
    let ca = |ca: &str| format!("{GOOD}[upstream.app]\ntargets = [{{ url = \"https://localhost\" }}]\nca = \"{ca}\"\n");
    assert_refused(
        &gateway,
        &ca("none.pem"),
        &["gateway.toml", ": upstream.app.ca: ", "none.pem"],
    );
    assert_refused(
        &gateway,
        &ca("garbage.pem"),
        &["gateway.toml", ": upstream.app.ca: ", "garbage.pem"],
    );
}

#[test]
fn g1_an_address_that_cannot_be_listened_on_refuses_the_whole() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = TestGateway::start(GOOD);
    let address = other.local_addr().unwrap().to_string();
    let text = GOOD.replace("the last good one", "another one")
        + &format!("[listener.more]\naddress = \"{address}\"\n[listener.and-more]\naddress = \"127.0.0.1:0\"\n");
    assert_refused(&gateway, &text, &["listener `more`", &address]);
}

#[test]
fn g1_a_refusal_is_counted_and_shown_until_the_next_success() {
    let gateway = TestGateway::start(GOOD);
    let refused = |gateway: &TestGateway| gateway.metric("gatewright_reloads_total{result=\"refused\"}");
    let shown = |gateway: &TestGateway| {
        let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
        routes["last_refused_reload"]["reason"].as_str().map(str::to_owned)
    };
    assert_eq!((refused(&gateway), shown(&gateway)), (0.0, None));
    assert_refused(&gateway, "[listener.public]\naddres = 1\n", &["gateway.toml:2:1"]);
    assert!(refused(&gateway) >= 1.0);
    assert!(shown(&gateway).unwrap().contains("gateway.toml:2:1"));
    assert_eq!(
        http(gateway.admin(), "GET", "/readyz", &[], b"").status,
        200,
        "it serves, so it is ready"
    );
    gateway.rewrite_config(GOOD);
    assert_eq!(reload(&gateway).status, 200);
    assert_eq!(shown(&gateway), None);
    let counted = gateway.metric("gatewright_generation");
    assert_eq!(counted, generation(&gateway) as f64);
}

#[test]
fn g3_an_empty_file_is_no_empty_configuration() {
    let gateway = TestGateway::start(GOOD);
    for text in [
        "",
        "\n",
        "# nothing\n",
        "[listener]\n",
        "route = []\n",
        "[listener.public]\n",
    ] {
        assert_refused(&gateway, text, &["gateway.toml"]);
    }
}

#[test]
fn a_file_that_is_named_by_a_refused_configuration_is_waited_for() {
    // First the configuration, then what it names: neither order needs anybody to ask for a reload.
    let gateway = TestGateway::start(GOOD);
    let text = GOOD.replace("the last good one", "with keys")
        + "chain = [{ use = \"api-key\", keys = \"{dir}/later/keys.toml\", header = \"k\" }]\n";
    fs::create_dir(gateway.dir().join("later")).unwrap();
    gateway.rewrite_config(&text);
    eventually("it is refused", || {
        let routes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
        (!routes["last_refused_reload"].is_null()).then_some(())
    });
    gateway.write("later/keys.toml", "");
    eventually("it serves", || {
        (http(gateway.addr("public"), "GET", "/x", &[], b"").status != 200).then_some(())
    });
}

#[test]
fn everything_that_is_wrong_with_what_a_configuration_names_is_said_at_once() {
    let gateway = TestGateway::start(GOOD);
    gateway.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    gateway.write("users", b"alice:\xff\n");
    gateway.write("schema.json", "{");
    let config = r#"
[listener.public]
address = "127.0.0.1:0"
[listener.tls]
address = "127.0.0.1:0"
tls = { certificate = "broken.pem", key = "nowhere.key" }
[upstream.app]
targets = [{ url = "https://127.0.0.1:1" }]
ca = "nowhere.pem"
[secrets]
key = "env:GATEWRIGHT_TEST_NOT_SET"
[plugins]
directory = "."
[plugin.lost]
grants = { secrets = ["key"] }
[plugin.gone]
[[route]]
name = "a"
path = "/a"
chain = [
  { use = "api-key", keys = "nowhere.toml" },
  { use = "basic", users = "users" },
  { use = "validate", schema_file = "schema.json" },
  { plugin = "lost" },
  { plugin = "gone" },
]
integration = { http = "app" }
[[route]]
name = "b"
path = "/b"
chain = [
  { use = "body", request = { template = "{{ a", content_type = "text/plain" } },
]
integration = { plugin = "gone" }
"#;
    assert_refused(
        &gateway,
        config,
        &[
            "gateway.toml:6:23: listener.tls.tls.certificate: ",
            "a section does not end: `-----END CERTIFICATE-----` is missing",
            "gateway.toml:9:6: upstream.app.ca: cannot read certificate ",
            "nowhere.pem: No such file or directory\n",
            "gateway.toml:11:7: secrets.key: cannot grant it to plugin `lost`: environment variable GATEWRIGHT_TEST_NOT_SET is not set",
            "gateway.toml:21:29: route[0].chain[0].keys: route `a`: cannot read ",
            "users:1:7: the file is not UTF-8 text: line 1 has the byte 0xFF at column 7",
            "schema.json:1:1: route `a`: the schema is not JSON: it ends too early\n  hint: ",
            "gateway.toml:25:3: route[0].chain[4]: route `a`: cannot read plugin `gone`",
            "gateway.toml:32:3: route[1].chain[0]: route `b`: `request.template`, line 1, column 4: ",
        ],
    );
}

#[test]
fn a_reload_watches_the_files_that_are_included_and_the_folders_for_new_ones() {
    let route = |name: &str, body: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nintegration = {{ respond = 200, body = \"{body}\" }}\n"
        )
    };
    let files = TestFiles::default().with("routes/a.toml", route("a", "one"));
    let gateway = files.start("include = [\"routes\"]\n[listener.public]\naddress = \"127.0.0.1:0\"\n");
    let get = |path: &str| http(gateway.addr("public"), "GET", path, &[], b"");
    assert_eq!(get("/a").text(), "one");
    gateway.write("routes/a.toml", route("a", "another"));
    eventually("what is included is loaded when it changes", || {
        (get("/a").text() == "another").then_some(())
    });
    gateway.write("routes/b.toml", route("b", "new"));
    eventually("a file that is new in a folder is loaded", || {
        (get("/b").text() == "new").then_some(())
    });
}
