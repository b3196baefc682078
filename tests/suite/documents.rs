//! The pages say what the code does: keys and defaults, errors, metrics, log fields, examples. Each is compared both
//! ways, so that neither the page nor the code can have something that the other has not.

mod markdown;
mod tidy;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gatewright_core::problem::{Fault, ProblemKind};
use gatewright_tests::guests::root;
use gatewright_tests::{Certificates, Origin, RawClient, TestFiles, TestGateway, http};
use serde_json::Value;

use self::markdown::{Page, Table};

/// What a fragment of a configuration may take for granted: a section, and what is added when it has none.
const BASE: [(&str, &str); 5] = [
    ("[listener.", "[listener.public]\naddress = \"127.0.0.1:8080\"\n"),
    ("[plugins]", "[plugins]\ndirectory = \"plugins\"\n"),
    (
        "[chain]",
        "[chain]\nprotected = [{ use = \"throttle\", rate = \"1/s\" }]\n",
    ),
    ("[admin]", "[admin]\nenabled = false\n"),
    ("[server]", "[server]\nworkers = 1\n"),
];

#[test]
fn every_key_of_the_configuration_is_on_its_page_with_its_default() {
    let page = Page::read("docs/CONFIG.md");
    let schema = gatewright_config::schema();
    let mut sections = schema["$defs"].as_object().unwrap().clone();
    sections.retain(|_, section| section.get("properties").is_some());
    let documented: BTreeSet<_> = page.marked_tables("keys of ").into_keys().collect();
    assert_eq!(
        documented,
        sections.keys().cloned().collect(),
        "tables marked `keys of`"
    );
    for (name, table) in page.marked_tables("keys of ") {
        let keys: BTreeMap<_, _> = table
            .rows
            .iter()
            .map(|row| (markdown::code(&row[0]), row[2].clone()))
            .collect();
        assert_eq!(keys.len(), table.rows.len(), "{name}: a key is there twice");
        let section = &sections[&name];
        let properties = section["properties"].as_object().unwrap();
        assert_eq!(
            keys.keys().collect::<BTreeSet<_>>(),
            properties.keys().collect::<BTreeSet<_>>(),
            "{name}"
        );
        for (key, said) in &keys {
            let required = section["required"]
                .as_array()
                .is_some_and(|keys| keys.iter().any(|it| it == key));
            assert_default(&format!("{name}.{key}"), said, required, properties[key].get("default"));
        }
    }
    // The sections themselves: every key at the top of the file has its heading.
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(page.headings.contains(&format!("`{key}`")), "no heading `{key}`");
    }
}

/// The page says `required`, the default as TOML in backticks, or in words what is meant by nothing.
fn assert_default(key: &str, said: &str, required: bool, default: Option<&Value>) {
    match default {
        _ if required => assert_eq!(said, "required", "{key}"),
        Some(default) if default.as_object().is_none_or(serde_json::Map::is_empty) => {
            assert_eq!(said, format!("`{}`", toml(default)), "{key}");
        }
        // A table with defaults of its own has a table of its own; what is absent has no default to be written.
        _ => assert!(!said.starts_with('`') && said != "required", "{key}: {said}"),
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[test]
fn every_configuration_on_the_pages_is_one() {
    let mut checked = 0;
    // Those of the SDK are Cargo's.
    for page in Page::all().into_iter().filter(|page| !page.file.starts_with("sdk/")) {
        for block in &page.blocks {
            let text = &block.text;
            let text = match block.language.as_str() {
                // What a plugin's page shows is one route.
                "toml" if page.file.starts_with("plugins/") => completed(text),
                "toml" => text.clone(),
                "toml fragment" => completed(text),
                "toml keys" => {
                    let keys = gatewright_config::parse_keys(text, Path::new("keys.toml"));
                    assert!(keys.is_ok(), "{}: {keys:?}", block.place);
                    continue;
                }
                "toml credentials" => {
                    let keys = gatewright_config::parse_credentials(text, Path::new("credentials.toml"));
                    assert!(keys.is_ok(), "{}: {keys:?}", block.place);
                    continue;
                }
                "toml cases" => {
                    let cases = gatewright_config::cases::parse_cases(text, Path::new("cases.toml"));
                    assert!(cases.is_ok(), "{}: {}", block.place, cases.unwrap_err());
                    continue;
                }
                "toml cargo" => continue,
                other => {
                    assert!(!other.starts_with("toml"), "{}: unknown mark {other:?}", block.place);
                    continue;
                }
            };
            if let Err(errors) = gatewright_config::parse(&text, Path::new("gateway.toml")) {
                panic!("{}:\n{text}\n{errors}", block.place);
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn every_example_with_a_plugin_that_is_shipped_is_one_that_the_plugin_takes() {
    let mut tried = BTreeSet::new();
    for page in Page::all() {
        for block in page
            .blocks
            .iter()
            .filter(|block| matches!(&*block.language, "toml" | "toml fragment"))
        {
            let named = |text: &str| text.split('"').next().unwrap_or_default().to_owned();
            let uses: BTreeSet<_> = block.text.split("plugin = \"").skip(1).map(named).collect();
            let shipped = |name: &String| root().join("plugins").join(name).is_dir();
            if uses.is_empty() || !uses.iter().all(shipped) {
                continue;
            }
            let text = completed(&block.text)
                .replace("127.0.0.1:8080", "127.0.0.1:0")
                .replace("/run/secrets/", "{dir}/");
            // Chains are looked at where they are used.
            let (_, chains) = block.text.split_once("[chain]\n").unwrap_or_default();
            let chains = chains.lines().filter_map(|line| line.split_once(" = [{"));
            let text = chains.fold(text, |text, (chain, _)| {
                text + &format!(
                    "\n[[route]]\nname = \"{chain}\"\npath = \"/{chain}\"\nchain = [\"{chain}\"]\nintegration = {{ respond = 200 }}\n"
                )
            });
            let files = TestFiles::default().with("token-key", "a secret of thirty-two bytes, or more");
            let files = uses.iter().fold(files, |files, name| {
                files.with(&format!("plugins/{name}.wasm"), gatewright_tests::guests::plugin(name))
            });
            if let Err(error) = files.try_start(&text) {
                panic!("{}:\n{text}\n{error}", block.place);
            }
            tried.extend(uses);
        }
    }
    for name in ["mask-json", "quote", "token-authorizer"] {
        assert!(tried.contains(name), "no example with {name}: {tried:?}");
    }
}

/// A fragment with what it takes for granted, which comes last: its own first lines may belong to no table.
fn completed(fragment: &str) -> String {
    let missing = BASE.iter().filter(|(section, _)| !fragment.contains(section));
    let mut text = missing.fold(fragment.to_owned(), |text, (_, addition)| text + "\n" + addition);
    let upstreams: BTreeSet<_> = fragment
        .split("http = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for name in upstreams
        .into_iter()
        .filter(|name| !fragment.contains(&format!("[upstream.{name}]")))
    {
        text.push_str(&format!(
            "\n[upstream.{name}]\ntargets = [{{ url = \"http://127.0.0.1:9001\" }}]\n"
        ));
    }
    text
}

#[test]
fn rust_on_the_pages_is_what_the_sdk_compiles() {
    let compiled = Page::read("sdk/README.md");
    let compiled: Vec<_> = rust(&compiled).collect();
    for page in ["README.md", "docs/PLUGINS.md"].map(Page::read) {
        for block in rust(&page) {
            let block = block.replace("Doorkeeper", "Sesame");
            assert!(
                compiled.contains(&block),
                "{}: not an example of sdk/README.md:\n{block}",
                page.file
            );
        }
    }
}

/// Examples in Rust without the lines that rustdoc hides.
fn rust(page: &Page) -> impl Iterator<Item = String> {
    let blocks = page.blocks.iter().filter(|block| block.language == "rust");
    blocks.map(|block| {
        block
            .text
            .lines()
            .filter(|line| !line.starts_with("# "))
            .collect::<Vec<_>>()
            .join("\n")
    })
}

#[test]
fn every_problem_has_its_row_with_status_and_fault() {
    let page = Page::read("docs/ERRORS.md");
    let table = page.table_under("code");
    let rows: BTreeMap<_, _> = table
        .rows
        .iter()
        .map(|row| (markdown::code(&row[0]), (row[1].clone(), row[2].clone())))
        .collect();
    let kinds: BTreeMap<_, _> = ProblemKind::ALL
        .iter()
        .map(|kind| {
            (
                kind.code().to_owned(),
                (kind.status().as_str().to_owned(), fault(*kind).to_owned()),
            )
        })
        .collect();
    assert_eq!(rows, kinds);
    let order: Vec<_> = table.rows.iter().map(|row| markdown::code(&row[0])).collect();
    assert_eq!(
        order,
        ProblemKind::ALL.iter().map(|kind| kind.code()).collect::<Vec<_>>(),
        "in the order of the enum"
    );
}

fn fault(kind: ProblemKind) -> &'static str {
    match kind.fault() {
        Fault::Client => "client",
        Fault::Gateway => "gateway",
        Fault::Plugin => "plugin",
        Fault::Upstream => "upstream",
    }
}

#[test]
fn every_metric_has_its_row_with_type_and_labels() {
    let (gateway, _origin) = busy();
    let shown = gateway.metrics();
    let metrics = metrics_of(&shown);
    let page = Page::read("docs/METRICS.md");
    let rows: Vec<_> = page
        .tables
        .iter()
        .filter(|table| table.header[0] == "name")
        .flat_map(|table| &table.rows)
        .collect();
    let documented: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (markdown::code(&row[0]), row[1].clone()))
        .collect();
    assert_eq!(documented.len(), rows.len(), "a metric is there twice");
    assert_eq!(documented, metrics, "names and types");
    for row in rows {
        let name = markdown::code(&row[0]);
        let labels = labels_of(&shown, &name).unwrap_or_else(|| panic!("`{name}` has no series"));
        assert_eq!(markdown::codes(&row[2]), labels, "labels of `{name}`");
    }
}

#[test]
fn promtool_has_no_complaint_about_the_page_of_metrics() {
    let (gateway, _origin) = busy();
    let response = http(gateway.admin(), "GET", "/metrics", &[], b"");
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which `cargo xtask test` installs");
    promtool.stdin.take().unwrap().write_all(&response.body).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn every_histogram_ends_with_a_bucket_for_everything() {
    let (gateway, _origin) = busy();
    let shown = gateway.metrics();
    for (name, _) in metrics_of(&shown).into_iter().filter(|(_, kind)| kind == "histogram") {
        let buckets = shown.lines().filter(|line| line.starts_with(&format!("{name}_bucket")));
        assert!(
            buckets.into_iter().any(|line| line.contains("le=\"+Inf\"")),
            "Prometheus wants a bucket `+Inf` of `{name}`"
        );
    }
}

/// A gateway that has served, refused and not found something, and whose plugins have trapped and asked for what they may not have.
fn busy() -> (TestGateway, Origin) {
    let origin = Origin::saying("hello");
    let certificates = Certificates::new();
    let read = |name: &str| std::fs::read(certificates.file(name)).unwrap();
    let gateway = TestFiles::default()
        .with("server.pem", read("server.pem"))
        .with("server.key", read("server.key"))
        .with_guests(&["traps", "uses-services"])
        .with("plugins/traps.next.wasm", gatewright_tests::guests::guest("traps"))
        .start(&format!(
            r#"
        [listener.public]
        address = "127.0.0.1:0"

        [listener.secure]
        address = "127.0.0.1:0"
        tls = {{ certificate = "server.pem", key = "server.key" }}

        [plugins]
        directory = "plugins"

        [plugin.traps.candidate]
        mode = "canary"
        percent = 0

        [upstream.app]
        targets = [{{ url = "{0}" }}]

        [[route]]
        name = "traps"
        path = "/traps"
        chain = [{{ plugin = "traps" }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "asks"
        path = "/asks"
        integration = {{ plugin = "uses-services" }}

        [[route]]
        name = "tokens"
        path = "/tokens"
        chain = [{{ use = "jwt", jwks = "{0}/jwks", audiences = ["*"] }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "app"
        path = "/app"
        chain = [{{ use = "throttle", rate = "100/s" }}, {{ use = "shed", latency = "1s" }}, {{ use = "waf" }}, {{ use = "cache" }}]
        integration = {{ http = "app" }}
        "#,
            origin.url()
        ));
    let address = gateway.addr("public");
    assert_eq!(http(address, "GET", "/traps", &[], b"").status, 500);
    let asked = http(address, "POST", "/asks", &[], br#"{"call": "secret"}"#);
    assert_eq!(asked.status, 200, "{asked:?}");
    assert_eq!(http(address, "POST", "/app?secret=1", &[], b"some").status, 200);
    assert_eq!(http(address, "GET", "/nowhere", &[], b"").status, 404);
    RawClient::connect(gateway.addr("secure")).send("GET / HTTP/1.1\r\n\r\n");
    let failures = "gatewright_tls_handshake_failures_total";
    gatewright_tests::eventually("it is counted", || (gateway.metric(failures) > 0.0).then_some(()));
    gateway.wait_for_records(4);
    (gateway, origin)
}

/// Name, as it is asked for, and type of every metric on an OpenMetrics page.
fn metrics_of(page: &str) -> BTreeMap<String, String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let metric = |line: &str| {
        let (name, kind) = line.split_once(' ').unwrap();
        let end = if kind == "counter" { "_total" } else { "" };
        (format!("{name}{end}"), kind.to_owned())
    };
    types.map(metric).collect()
}

/// The labels of a metric's series, without the bounds of buckets; none when it has no series.
fn labels_of(page: &str, name: &str) -> Option<Vec<String>> {
    let is_it = |line: &&str| {
        let series = line.split(['{', ' ']).next().unwrap_or_default();
        series == name
            || series
                .strip_prefix(name)
                .is_some_and(|rest| matches!(rest, "_bucket" | "_count" | "_sum"))
    };
    let line = page.lines().find(is_it)?;
    let labels = line
        .split_once('{')
        .map_or("", |(_, rest)| rest.split('}').next().unwrap_or_default());
    let names = labels
        .split("\",")
        .filter_map(|label| label.split_once('='))
        .map(|(name, _)| name.to_owned());
    Some(names.filter(|name| name != "le").collect())
}

#[test]
fn every_field_that_the_access_log_can_have_is_in_its_table() {
    let page = Page::read("docs/METRICS.md");
    let documented = |header| -> Vec<_> {
        let rows = &page.table_under(header).rows;
        rows.iter().map(|row| markdown::code(&row[0])).collect()
    };
    assert_eq!(documented("field"), gatewright_config::LogField::STANDARD);
    assert_eq!(documented("further field"), gatewright_config::LogField::MORE);
}

#[test]
fn every_name_of_templates_is_in_the_table() {
    let page = std::fs::read_to_string(root().join("docs/CONFIG.md")).unwrap();
    let (_, table) = page.split_once("<!-- names -->").unwrap();
    for (object, member) in gatewright_config::names::variables() {
        assert!(
            table.contains(&format!("\n| `{object}.{member}` |")),
            "{object}.{member}"
        );
    }
}

#[test]
fn every_field_of_the_access_log_has_its_row() {
    let (gateway, _origin) = busy();
    let page = Page::read("docs/METRICS.md");
    let table = page.table_under("field");
    let documented: BTreeSet<_> = table.rows.iter().map(|row| markdown::code(&row[0])).collect();
    let mut types: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for record in gateway.wait_for_records(3) {
        let fields = record.as_object().unwrap();
        assert_eq!(documented, fields.keys().cloned().collect());
        assert!(
            !record.to_string().contains("secret"),
            "records have no queries: {record}"
        );
        for (field, value) in fields {
            types.entry(field.clone()).or_default().insert(kind(value));
        }
    }
    for row in &table.rows {
        let said: BTreeSet<_> = row[1].split(" or ").collect();
        assert!(types[&markdown::code(&row[0])].is_subset(&said), "type of {}", row[0]);
    }
    let example = page.blocks.iter().find(|block| block.language == "json").unwrap();
    let example: Value = serde_json::from_str(&example.text).unwrap();
    assert_eq!(
        documented,
        example.as_object().unwrap().keys().cloned().collect(),
        "the example"
    );
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::String(_) => "text",
        Value::Number(_) => "number",
        _ => "something else",
    }
}

impl Page {
    /// The table whose first column has this title.
    fn table_under(&self, title: &str) -> &Table {
        self.tables.iter().find(|table| table.header[0] == title).unwrap()
    }
}
