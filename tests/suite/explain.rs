//! `gatewright explain`, and live requests that ask to be explained.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use gatewright_tests::process::binary;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, http};
use serde_json::{Value, json};

const KEY: &str = "a key that nobody guesses";

fn config(origin: &Origin) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [admin]
        address = "127.0.0.1:0"
        explain_key = "file:{{dir}}/explain.key"
        [plugins]
        directory = "plugins"
        [plugin.decides]
        time = "10s"
        [plugin.rewrites]
        time = "10s"
        [plugin.uses-services]
        time = "10s"
        grants = {{ http = ["{url}"] }}
        [upstream.app]
        targets = [{{ url = "{url}" }}]
        [[route]]
        name = "elsewhere"
        path = "/elsewhere"
        integration = {{ respond = 200 }}
        [[route]]
        name = "users"
        path = "/users/{{id}}"
        methods = ["GET"]
        hosts = ["api.example.com"]
        chain = [
            {{ use = "throttle", rate = "1/m", burst = 5, by = "client" }},
            {{ plugin = "decides", identity = ["header:x-key"], cache = "60s" }},
            {{ plugin = "rewrites" }},
        ]
        integration = {{ http = "app" }}
        [[route]]
        name = "any"
        path = "/users/{{rest+}}"
        methods = ["GET", "POST"]
        integration = {{ http = "app" }}
        [[route]]
        name = "services"
        path = "/services"
        integration = {{ plugin = "uses-services" }}
        "#,
        url = origin.url()
    )
}

fn files() -> TestFiles {
    let files = TestFiles::default().with("explain.key", KEY);
    files.with_guests(&["decides", "rewrites", "uses-services"])
}

fn run(config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("explain").args(arguments).arg("--config").arg(config);
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(config: &Path, arguments: &[&str]) -> String {
    let output = run(config, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn explained(config: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(config, &[arguments, &["--format", "json"]].concat())).unwrap()
}

fn step<'e>(explained: &'e Value, direction: &str, name: &str) -> &'e Value {
    let steps = explained["steps"].as_array().unwrap();
    let found = steps
        .iter()
        .find(|step| step["step"] == direction && step["name"] == name);
    found.unwrap_or_else(|| panic!("no {direction} of {name}: {explained:#}"))
}

fn detail<'e>(step: &'e Value, subject: &str) -> &'e Value {
    let details = step["details"].as_array().unwrap();
    let found = details.iter().find(|detail| detail["step"] == subject);
    found.unwrap_or_else(|| panic!("no {subject}: {step:#}"))
}

const SECRETS: [&str; 5] = [
    "-H",
    "X-Key: partner-secret",
    "-H",
    "Authorization: Bearer bearer-secret",
    "http://api.example.com/a/../users/7?access_token=query-secret&page=2",
];

#[test]
fn every_step_of_a_request_is_told_and_nobody_is_asked() {
    let origin = Origin::saying("hello");
    let files = files();
    let config = files.write_config(&config(&origin));
    let shown = explained(&config, &[&["GET"], &SECRETS[..]].concat());
    assert_eq!(shown["request"]["path"], "/users/7");
    assert_eq!(
        shown["candidates"],
        json!([
            { "route": "users", "matches": true, "does_not_match": [] },
            { "route": "any", "matches": true, "does_not_match": [] },
            { "route": "elsewhere", "matches": false, "does_not_match": ["path"] },
            { "route": "services", "matches": false, "does_not_match": ["path"] },
        ])
    );
    let limit = detail(step(&shown, "request", "throttle"), "limit");
    assert_eq!(
        (&limit["by"], &limit["burst"], &limit["remaining"], &limit["allowed"]),
        (&json!("client:127.0.0.1"), &json!(5), &json!(4), &json!(true))
    );
    let decides = step(&shown, "request", "decides");
    assert_eq!(detail(decides, "decision")["decided"], "allow");
    assert_eq!(detail(decides, "decision-cache")["result"], "miss");
    assert_eq!(detail(decides, "decision-cache")["key"].as_str().unwrap().len(), 64);
    let call = detail(decides, "plugin-call");
    assert_eq!(
        (&call["hook"], &call["version"]),
        (&json!("authorizer"), &json!("1.0.0"))
    );
    assert!(
        call["cpu_us"].as_f64().unwrap() > 0.0 && call["wall_us"].as_f64().unwrap() > 0.0,
        "{call}"
    );
    assert!(detail(decides, "instance")["memory_bytes"].as_u64().unwrap() > 0);
    let changes = &step(&shown, "request", "rewrites")["changes"];
    assert_eq!(changes["path"], json!(["/users/7", "/rewritten/users/7"]));
    assert_eq!(changes["headers.x-rewritten"], json!([null, ["request"]]));
    assert_eq!(changes["attributes.plugin.rewrites.rewritten"], json!([null, "true"]));
    assert_eq!(changes["body"], json!(["empty", "8 bytes"]));
    let integration = step(&shown, "integration", "http");
    assert!(
        integration["outcome"].as_str().unwrap().starts_with("not asked"),
        "{integration}"
    );
    let response = step(&shown, "response", "rewrites");
    assert_eq!(response["changes"]["headers.x-rewritten"], json!([null, ["response"]]));
    let outcome = &shown["outcome"];
    assert_eq!((&outcome["status"], &outcome["route"]), (&json!(200), &json!("users")));
    assert_eq!(outcome["parameters"], json!({ "id": "7" }));
    assert_eq!(outcome["rate_limit"]["remaining"], 4);
    assert_eq!(origin.connections(), 0);
}

#[test]
fn secrets_are_not_shown_even_where_a_plugin_repeats_them() {
    let origin = Origin::saying("hello");
    let files = files();
    let config = files.write_config(&config(&origin));
    for format in ["human", "json"] {
        let shown = text(&config, &[&["GET", "--format", format], &SECRETS[..]].concat());
        // The authorizer makes a principal of the key that it was given.
        assert!(shown.contains("holder of [redacted "), "{shown}");
        assert!(
            shown.contains("page=2") && shown.contains("access_token=[redacted "),
            "{shown}"
        );
        for secret in ["partner-secret", "bearer-secret", "query-secret"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}

#[test]
fn a_refusal_is_told_with_who_refused_and_why() {
    let origin = Origin::saying("hello");
    let files = files();
    let config = files.write_config(&config(&origin));
    let shown = explained(&config, &["GET", "http://api.example.com/users/7", "-H", "x-key: deny"]);
    let outcome = &shown["outcome"];
    assert_eq!(
        (&outcome["status"], &outcome["answered_by"]),
        (&json!(403), &json!("decides"))
    );
    assert_eq!(step(&shown, "request", "decides")["outcome"], json!({ "answer": 403 }));
    let shown = explained(&config, &["POST", "http://api.example.com/elsewhere"]);
    assert_eq!(shown["outcome"]["status"], 200);
    let shown = explained(&config, &["DELETE", "http://api.example.com/users/7"]);
    assert_eq!(
        (&shown["outcome"]["status"], &shown["outcome"]["route"]),
        (&json!(405), &Value::Null)
    );
    let missing: Vec<_> = shown["candidates"].as_array().unwrap().iter().take(2).collect();
    assert!(
        missing.iter().all(|route| route["does_not_match"] == json!(["method"])),
        "{missing:?}"
    );
    let people = text(&config, &["DELETE", "http://api.example.com/users/7"]);
    assert!(
        people.contains("- users: does not match in method") && people.contains("answer 405"),
        "{people}"
    );
    let people = text(&config, &["GET", "/users/%zz"]);
    assert!(people.contains("answer 400"), "{people}");
}

#[test]
fn upstreams_and_what_plugins_ask_are_asked_only_online() {
    let origin = Origin::saying("hello");
    let files = files();
    let body = json!({ "call": "send", "url": origin.url() }).to_string();
    let files = files.with("call.json", &body);
    let body = files.dir().join("call.json").display().to_string();
    let config = files.write_config(&config(&origin));
    let call = ["POST", "/services", "--body", &body];
    assert_eq!(explained(&config, &call)["outcome"]["status"], 200);
    assert_eq!(origin.connections(), 0);
    explained(&config, &[&call[..], &["--online"]].concat());
    assert_eq!(origin.hits(), 1);
    let shown = explained(&config, &["GET", "/users/1/2", "--online"]);
    assert_eq!(shown["outcome"]["upstream"], origin.url());
    assert_eq!(origin.hits(), 2);
}

fn signed(gateway: &TestGateway, method: &str, path: &str) -> String {
    let field = text(&gateway.dir().join("gateway.toml"), &[method, path, "--sign", "60"]);
    let (name, value) = field.trim().split_once(": ").unwrap();
    assert_eq!(name, "x-gatewright-explain");
    value.to_owned()
}

fn explanation(gateway: &TestGateway, response: &RawResponse) -> Value {
    let id = response.header("x-gatewright-explanation").unwrap();
    http(gateway.admin(), "GET", &format!("/explanations/{id}"), &[], b"").json()
}

#[test]
fn a_live_request_is_explained_to_who_has_the_key() {
    let origin = Origin::saying("hello");
    let gateway = files().start(&config(&origin));
    let value = signed(&gateway, "GET", "/a/../users/7");
    let fields = [
        ("host", "api.example.com"),
        ("x-key", "partner-secret"),
        ("x-gatewright-explain", value.as_str()),
    ];
    let response = http(gateway.addr("public"), "GET", "/users/7", &fields, b"");
    assert_eq!(response.text(), "response:hello");
    let shown = explanation(&gateway, &response);
    assert_eq!(shown["outcome"]["upstream"], origin.url());
    assert_eq!(
        step(&shown, "request", "rewrites")["changes"]["path"][1],
        "/rewritten/users/7"
    );
    assert_eq!(step(&shown, "integration", "http")["outcome"], json!({ "answer": 200 }));
    assert_eq!(
        detail(step(&shown, "request", "decides"), "decision-cache")["result"],
        "miss"
    );
    assert!(!shown.to_string().contains("partner-secret"), "{shown}");
    // What asks is for the gateway alone.
    assert!(!origin.requests()[0].headers.contains_key("x-gatewright-explain"));
    let again = http(gateway.addr("public"), "GET", "/users/7", &fields, b"");
    let shown = explanation(&gateway, &again);
    let decides = step(&shown, "request", "decides");
    assert_eq!(detail(decides, "decision-cache")["result"], "hit");
    assert!(!decides.to_string().contains("plugin-call"), "{decides}");
}

#[test]
fn a_request_that_is_not_signed_for_itself_is_not_explained() {
    let origin = Origin::saying("hello");
    let gateway = files().start(&config(&origin));
    let value = signed(&gateway, "GET", "/users/1/2");
    let forged = value.replace('.', "0.");
    for (path, value) in [
        ("/users/1/3", value.as_str()),
        ("/users/1/2", &forged),
        ("/users/1/2", "nonsense"),
    ] {
        let fields = [("x-gatewright-explain", value)];
        let response = http(gateway.addr("public"), "GET", path, &fields, b"");
        assert_eq!(
            (response.status, response.header("x-gatewright-explanation")),
            (200, None),
            "{path} {value}"
        );
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| !request.headers.contains_key("x-gatewright-explain"))
    );
    let response = http(
        gateway.addr("public"),
        "POST",
        "/users/1/2",
        &[("x-gatewright-explain", &value)],
        b"",
    );
    assert_eq!(response.header("x-gatewright-explanation"), None);
    let unknown = http(gateway.admin(), "GET", "/explanations/0", &[], b"");
    assert_eq!(unknown.status, 404);
    // An id that is known needs what the admin address asks of everybody; nothing of it is served to clients.
    let client = http(gateway.addr("public"), "GET", "/explanations/0", &[], b"");
    assert_eq!(client.error(), Some("RESOURCE_NOT_FOUND"));
}

#[test]
fn without_a_key_the_field_means_nothing() {
    let origin = Origin::saying("hello");
    let config = config(&origin).replace("explain_key", "# explain_key");
    let gateway = files().start(&config);
    let fields = [("x-gatewright-explain", "1.00")];
    let response = http(gateway.addr("public"), "GET", "/users/1/2", &fields, b"");
    assert_eq!(
        (response.status, response.header("x-gatewright-explanation")),
        (200, None)
    );
    assert_eq!(origin.only_request().headers["x-gatewright-explain"], "1.00");
    let refused = run(&gateway.dir().join("gateway.toml"), &["GET", "/", "--sign", "60"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(2) && message.contains("`explain_key`"),
        "{message}"
    );
}

#[test]
fn a_key_that_can_be_guessed_is_refused_at_start() {
    let origin = Origin::saying("hello");
    let refused = files().with("explain.key", "short").try_start(&config(&origin));
    let message = refused.err().unwrap();
    assert!(
        message.contains("admin.explain_key") && message.contains("16 bytes"),
        "{message}"
    );
}
