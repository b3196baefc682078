//! What `check` warns of beyond the text of a configuration: what is named and is not there, is out of date, or is set by
//! nothing.

use std::process::{Command, Stdio};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, guests};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::setup::listening;

/// The warnings of a configuration that is good, as a person is shown them.
#[track_caller]
fn warnings(files: &TestFiles, config: &str) -> Vec<String> {
    let mut command = Command::new(binary());
    command
        .args(["check", "--format", "json"])
        .arg(files.write_config(config));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown:#}");
    let dir = format!("{}/", files.dir().display());
    let warnings = shown["warnings"].as_array().unwrap().iter().map(|warning| {
        let text = |key: &str| warning[key].as_str().unwrap().replace(&dir, "");
        let (file, key, message, hint) = (text("file"), text("key"), text("message"), text("hint"));
        format!(
            "{file}:{}:{}: {key}: {message}\n  hint: {hint}",
            warning["line"], warning["column"]
        )
    });
    warnings.collect()
}

/// A certificate for `localhost` with its key, whose time is over when `until` says so.
fn certificate(files: TestFiles, name: &str, from: i32, until: i32) -> TestFiles {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap().pem();
    files
        .with(&format!("{name}.pem"), certificate)
        .with(&format!("{name}.key"), key.serialize_pem())
}

#[test]
fn a_certificate_whose_time_is_over_or_has_not_come_is_warned_of_wherever_it_is_named() {
    let files = certificate(TestFiles::default(), "old", 2000, 2020);
    let files = certificate(files, "new", 2090, 2095);
    let files = certificate(files, "good", 2000, 2095).with("plugins/a.wasm", guests::plugin("identicon"));
    let config = |name: &str| {
        listening(&format!(
            r#"
tls = {{ certificate = "{name}.pem", key = "{name}.key", client_auth = "optional", client_ca = "{name}.pem" }}
[redis]
servers = ["rediss://127.0.0.1:1"]
ca = "{name}.pem"
[upstream.app]
targets = [{{ url = "https://127.0.0.1:1" }}]
ca = "{name}.pem"
client_certificate = "{name}.pem"
client_key = "{name}.key"
[plugins]
directory = "plugins"
[plugin.a]
[plugin.a.http]
ca = "{name}.pem"
[chain]
signed = [{{ use = "jwt", jwks = "https://127.0.0.1:1/keys", ca = "{name}.pem", audiences = ["a"] }}]
[[route]]
name = "a"
path = "/a"
chain = ["signed"]
integration = {{ http = "app" }}
[[route]]
name = "b"
path = "/b"
chain = ["signed"]
integration = {{ plugin = "a" }}
"#
        ))
    };
    assert_eq!(warnings(&files, &config("good")), [""; 0]);
    for (name, said) in [
        ("old", "has expired: it was good until Wed, 01 Jan 2020 00:00:00 GMT"),
        ("new", "is not good before Sun, 01 Jan 2090 00:00:00 GMT"),
    ] {
        let warnings = warnings(&files, &config(name));
        for place in [
            "gateway.toml:4:23: listener.public.tls.certificate",
            "gateway.toml:4:89: listener.public.tls.client_ca",
            "gateway.toml:7:6: redis.ca",
            "gateway.toml:10:6: upstream.app.ca",
            "gateway.toml:11:22: upstream.app.client_certificate",
            "gateway.toml:17:6: plugin.a.http.ca",
            "gateway.toml:19:66: chain.signed[0].ca",
        ] {
            let of_place = warnings
                .iter()
                .filter(|warning| warning.starts_with(&format!("{place}: ")));
            let of_place: Vec<_> = of_place.collect();
            assert_eq!(of_place.len(), 1, "{place}: {warnings:#?}");
            assert!(
                of_place[0].contains(said) && of_place[0].contains("\n  hint: "),
                "{of_place:?}"
            );
        }
        assert_eq!(warnings.len(), 7, "{warnings:#?}");
    }
}

#[test]
fn a_folder_that_is_named_and_not_there_is_warned_of() {
    let config = |folder: &str| {
        format!(
            "[listener.public]\naddress = \"unix:{folder}/socket\"\n[access_log]\noutput = \"file:{folder}/access.log\"\n\
             [state]\nsnapshot = \"{folder}/quotas\"\n[plugins]\ndirectory = \"{folder}/plugins\"\n\
             [[route]]\nname = \"a\"\npath = \"/a\"\nintegration = {{ respond = 200 }}\n"
        )
    };
    let files = TestFiles::default().with("there/plugins/a", "");
    assert_eq!(warnings(&files, &config("there")), [""; 0]);
    let warnings = warnings(&files, &config("nowhere"));
    for (place, folder) in [
        ("gateway.toml:2:11: listener.public.address", "nowhere"),
        ("gateway.toml:4:10: access_log.output", "nowhere"),
        ("gateway.toml:6:12: state.snapshot", "nowhere"),
        ("gateway.toml:8:13: plugins.directory", "nowhere/plugins"),
    ] {
        let said = format!("{place}: the folder {folder} is not there\n  hint: make it, or ");
        assert!(
            warnings.iter().any(|warning| warning.starts_with(&said)),
            "{said}: {warnings:#?}"
        );
    }
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}

#[test]
fn what_a_plugin_may_set_and_what_a_template_names_is_known_when_both_have_been_read() {
    let files = TestFiles::default()
        .with("plugins/signed.wasm", guests::plugin("token-authorizer"))
        .with("plugins/tidy.wasm", guests::plugin("tidy-query"))
        .with(
            "body.txt",
            "{{ attributes.auth.tenant }} {{ attributes.correlation.id }}",
        );
    let config = |chain: &str| {
        listening(&format!(
            "[plugins]\ndirectory = \"plugins\"\n[upstream.app]\ntargets = [{{ url = \"http://127.0.0.1:1\" }}]\n\
             [[route]]\nname = \"a\"\npath = \"/a\"\nchain = [\n{chain}\n]\nintegration = {{ http = \"app\" }}\n"
        ))
    };
    const SIGNED: &str = "{ plugin = \"signed\", config = { secret = \"hunter2-hunter2-hunter2-hunter2-hunter2\", issuer = \"https://idp\" } },";
    const TIDY: &str = "{ plugin = \"tidy\", config = { drop = [\"a\"] } },";
    let template = |part: &str, name: &str| {
        format!("{{ use = \"body\", {part} = {{ template = \"{{{{ {name} }}}}\", content_type = \"text/plain\" }} }},")
    };
    let header = |name: &str| format!("{{ use = \"headers\", request = {{ set = {{ x-a = \"{{{name}}}\" }} }} }},");
    for (chain, unset) in [
        // An authorizer names what it says as it likes, and nothing else.
        (format!("{SIGNED}{}", header("auth.tenant")), None),
        (format!("{SIGNED}{}", header("plugin.signed.tier")), Some("plugin.signed.tier")),
        // A transform does not say who the client is.
        (format!("{TIDY}{}", header("plugin.tidy.tier")), None),
        (format!("{TIDY}{}", header("auth.tenant")), Some("auth.tenant")),
        // Templates name attributes by paths through tables.
        (format!("{SIGNED}{}", template("request", "attributes.auth.tenant")), None),
        (format!("{SIGNED}{}", template("request", "attributes.auth")), None),
        (template("request", "attributes.auth.tenant"), Some("auth.tenant")),
        (template("response", "attributes.auth.principal"), Some("auth.principal")),
        (template("request", "attributes.auth.principle"), Some("auth.principle")),
        (format!("{}{SIGNED}", template("request", "attributes.auth.tenant")), Some("auth.tenant")),
        // A response has passed the whole chain.
        (format!("{}{SIGNED}", template("response", "attributes.auth.tenant")), None),
        (
            "{ use = \"correlation-id\" }, { use = \"body\", request = { file = \"body.txt\", content_type = \"text/plain\" } }"
                .to_owned(),
            Some("auth.tenant"),
        ),
    ] {
        let said = warnings(&files, &config(&chain));
        match unset {
            None => assert_eq!(said, [""; 0], "{chain}"),
            Some(name) => {
                assert_eq!(said.len(), 1, "{chain}: {said:#?}");
                let is_right = said[0].contains(&format!("sets the attribute `{name}`"));
                assert!(is_right && said[0].starts_with("gateway.toml:") && said[0].contains("hint: "), "{said:#?}");
            }
        }
    }
}
