//! No place that shows a configuration, or what became of a request, shows a secret of either.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gatewright_tests::process::binary;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestProcess, eventually, guests, http};
use sha2::{Digest as _, Sha256};

/// In every secret here.
const MARK: &str = "hunter2";
const PATHS: [&str; 7] = ["/key", "/basic", "/plugin", "/signed", "/asked", "/login", "/fixed"];
const ENVIRONMENT: [(&str, &str); 3] = [
    ("UPSTREAM_TOKEN", "hunter2-from-the-environment"),
    ("GATEWAY_REDIS", "hunter2-redis"),
    ("GATEWRIGHT_LOG", "debug"),
];

fn config(origin: &Origin) -> String {
    format!(
        r#"
[listener.public]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
token = "file:{{dir}}/admin"
explain_key = "file:{{dir}}/explain"
[access_log]
output = "file:{{dir}}/access.log"
fields = ["standard", "query", "referer", "header.authorization", "header.x-api-key", "header.x-tenant-token", "query.token", "auth.api_key", "auth.principal"]
[redis]
servers = ["redis://127.0.0.1:1"]
password = "env:GATEWAY_REDIS"
[secrets]
KEY = "file:{{dir}}/plugin"
[plugins]
directory = "plugins"
[plugin.token-authorizer]
time = "10s"
cpu = "5s"
grants = {{ secrets = ["KEY"] }}
record = {{ sample = 1, bodies = true, answers = true, fields = ["x-note"], directory = "{{dir}}/recordings" }}
[upstream.app]
targets = [{{ url = "{url}" }}]
[[route]]
name = "key"
path = "/key"
chain = [
  {{ use = "api-key", keys = "keys.toml", header = "x-api-key", forward = true }},
  {{ use = "headers", request = {{ set = {{ authorization = "Bearer hunter2-literal", x-upstream-key = "${{UPSTREAM_TOKEN}}", x-own-key = "hunter2-own" }} }}, response = {{ set = {{ set-cookie = "session=hunter2-cookie" }} }} }},
  {{ use = "rewrite", query = {{ set = {{ api_key = "hunter2-parameter" }} }} }},
]
integration = {{ http = "app", headers = {{ x-tenant-token = "hunter2-tenant" }} }}
[[route]]
name = "basic"
path = "/basic"
chain = [{{ use = "basic", users = "users", forward = true }}]
integration = {{ http = "app" }}
[[route]]
name = "plugin"
path = "/plugin"
chain = [
  {{ plugin = "token-authorizer", config = {{ secret = "hunter2-hunter2-hunter2-hunter2-hunter2", issuer = "https://idp" }} }},
  {{ plugin = "token-authorizer", config = {{ secret = {{ "$secret" = "KEY" }}, issuer = "https://idp" }} }},
]
integration = {{ http = "app" }}
[[route]]
name = "signed"
path = "/signed"
chain = [{{ use = "sigv4", service = "execute-api", credentials = "credentials.toml" }}]
integration = {{ http = "app" }}
[[route]]
name = "asked"
path = "/asked"
chain = [{{ use = "oauth2-introspection", endpoint = "http://127.0.0.1:1/", client_id = "gateway", client_secret = "file:{{dir}}/client" }}]
integration = {{ http = "app" }}
[[route]]
name = "login"
path = "/login/{{rest*}}"
chain = [{{ use = "oidc-login", callback = "/login/back", issuer = "http://127.0.0.1:1", client_id = "gateway", client_secret = "file:{{dir}}/client", cookie_secrets = ["file:{{dir}}/cookie"] }}]
integration = {{ http = "app" }}
[[route]]
name = "fixed"
path = "/fixed"
integration = {{ respond = 200, headers = {{ authorization = "hunter2-fixed" }}, body = "here" }}
"#,
        url = origin.url()
    )
}

fn files() -> TestFiles {
    let key = Sha256::digest("hunter2-key");
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    TestFiles::default()
        .with("admin", "hunter2-admin\n")
        .with("explain", "hunter2-explanations\n")
        .with("plugin", "hunter2-granted-hunter2-granted-hunter2\n")
        .with("client", "hunter2-client\n")
        .with("cookie", "hunter2-cookie-hunter2-cookie-hunter2-cookie\n")
        .with("sigv4", "hunter2-signing\n")
        .with(
            "keys.toml",
            format!("[[key]]\nname = \"partner\"\nsha256 = \"{key}\"\n"),
        )
        .with("users", hashed())
        .with(
            "credentials.toml",
            "[[credential]]\nprincipal = \"partner\"\naccess_key_id = \"AKIDEXAMPLE\"\nsecret = \"file:sigv4\"\n",
        )
        .with("plugins/token-authorizer.wasm", guests::plugin("token-authorizer"))
}

/// The line of a file of users.
fn hashed() -> Vec<u8> {
    let mut command = Command::new(binary());
    command.args(["password", "--stdin", "alice"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hunter2-password").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// What a client sends that is secret, by the names that say so, and in a field that a recording keeps.
fn sent() -> Vec<(String, String)> {
    let basic = BASE64_STANDARD.encode("alice:hunter2-password");
    [
        ("x-api-key", "hunter2-key".to_owned()),
        ("authorization", format!("Basic {basic}")),
        ("cookie", "session=hunter2-session".to_owned()),
        ("x-tenant-token", "hunter2-of-the-client".to_owned()),
        ("referer", "https://a.example/?token=hunter2-referer".to_owned()),
        (
            "x-note",
            "the key is hunter2-granted-hunter2-granted-hunter2".to_owned(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn ask(process: &TestProcess, path: &str, more: &[(&str, &str)]) -> RawResponse {
    let sent = sent();
    let fields: Vec<_> = sent
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let target = format!("{path}?token=hunter2-query&page=1");
    http(
        process.addr("public"),
        "GET",
        &target,
        &[&fields[..], more].concat(),
        b"",
    )
}

fn run(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .envs(ENVIRONMENT)
        .current_dir(dir)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = text(output.stdout) + &text(output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    said
}

/// The text has no secret, neither as it is nor as it travels, and none of what is kept to compare it with.
#[track_caller]
fn assert_silent(place: &str, text: &str) {
    let lines = text.lines().filter(|line| {
        let basic = BASE64_STANDARD.encode("alice:hunter2-password");
        [MARK, "aHVudGVy", &basic, "$argon2", "YWxpY2U6"]
            .iter()
            .any(|secret| line.contains(secret))
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.is_empty(), "{place}: {lines:#?}");
    assert!(!text.is_empty(), "{place} says something");
}

#[test]
fn no_place_that_shows_a_configuration_or_a_request_shows_a_secret() {
    let origin = Origin::saying("hello");
    let process = TestProcess::start_in(files(), &config(&origin), &ENVIRONMENT).unwrap();
    let dir = process.dir().to_owned();
    for path in PATHS {
        let name = &path[1..];
        let sign = run(
            &dir,
            &["explain", "GET", path, "--sign", "60", "--config", "gateway.toml"],
        );
        let (field, value) = sign.trim().split_once(": ").unwrap();
        let response = ask(&process, path, &[(field, value)]);
        let expected = match name {
            "key" | "basic" | "fixed" => 200,
            "signed" => 403,
            _ => 401,
        };
        assert_eq!(response.status, expected, "{path}: {}", response.text());
        let id = response.header("x-gatewright-explanation").unwrap();
        let admin = [("authorization", "Bearer hunter2-admin")];
        let live = http(process.admin(), "GET", &format!("/explanations/{id}"), &admin, b"");
        assert_eq!(live.status, 200);
        assert_silent(&format!("the explanation of {path}"), &live.text());
        for format in ["human", "json"] {
            let shown = run(&dir, &["check", "--explain", name, "--format", format, "gateway.toml"]);
            assert_silent(&format!("check --explain {name} --format {format}"), &shown);
            let mut arguments = vec!["explain", "GET", path, "--format", format, "--config", "gateway.toml"];
            let fields: Vec<_> = sent().iter().map(|(name, value)| format!("{name}: {value}")).collect();
            arguments.extend(fields.iter().flat_map(|field| ["-H", field.as_str()]));
            assert_silent(&format!("explain GET {path} --format {format}"), &run(&dir, &arguments));
        }
    }
    // What the upstream is sent is what the configuration says.
    let asked = origin.requests();
    assert!(asked.iter().any(|request| {
        request
            .headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer hunter2-literal")
    }));
    for page in ["/plugins", "/routes", "/metrics", "/readyz", "/healthz", "/usage"] {
        let admin = [("authorization", "Bearer hunter2-admin")];
        let text = http(process.admin(), "GET", page, &admin, b"").text();
        assert_silent(page, &text);
    }
    for arguments in [&["config", "gateway.toml"][..], &["check", "gateway.toml"]] {
        assert_silent(&format!("{arguments:?}"), &run(&dir, arguments));
    }
    let recordings = eventually("calls are recorded", || {
        let files: Vec<_> = std::fs::read_dir(dir.join("recordings"))
            .ok()?
            .map(|file| file.unwrap().path())
            .collect();
        (!files.is_empty()).then_some(files)
    });
    for (index, file) in recordings
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "json"))
        .enumerate()
    {
        let text = std::fs::read_to_string(file).unwrap();
        assert_silent("a recording", &text);
        let case = dir.join(format!("case-{index}.toml"));
        let file = file.to_str().unwrap();
        assert_silent("replay", &run(&dir, &["replay", file]));
        assert_silent(
            "replay --case",
            &run(&dir, &["replay", "--case", case.to_str().unwrap(), file]),
        );
        assert_silent("a case", &std::fs::read_to_string(case).unwrap());
    }
    let log = eventually("all is logged", || {
        let log = std::fs::read_to_string(dir.join("access.log")).ok()?;
        (log.lines().count() >= PATHS.len()).then_some(log)
    });
    assert_silent("the access log", &log);
    // A reload that is refused says why, and what it would have changed.
    let broken = std::fs::read_to_string(dir.join("gateway.toml")).unwrap() + "[nonsense]\n";
    std::fs::write(dir.join("gateway.toml"), broken).unwrap();
    let admin = [("authorization", "Bearer hunter2-admin")];
    let refused = http(process.admin(), "POST", "/reload", &admin, b"");
    assert_eq!(refused.status, 422);
    assert_silent("a refused reload", &refused.text());
    ask(&process, "/fixed", &[("x-gatewright-explain", "hunter2-forged")]);
    eventually("it is the log at debug", || {
        process.stderr().contains("DEBUG").then_some(())
    });
    assert_silent("the log", &process.stderr());
}
