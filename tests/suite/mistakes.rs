//! What is said of a configuration that cannot serve because of what it names. The rule for every mistake: file, line, column,
//! key, a sentence, and what to do; all of them at once; and nothing as a library says it to programmers.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use gatewright_tests::process::binary;
use gatewright_tests::{Certificates, TestFiles, guests};
use serde_json::Value;

use crate::setup::{listening, routed};

/// Words that only programmers of a library need.
const RAW: [&str; 25] = [
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "os error",
    "Error {",
    "kind:",
    "panicked",
    "::",
    "KeyMismatch",
    "InvalidCertificate",
    "Io(",
    "did not contain valid UTF-8",
    "EOF while",
    "expected value at",
    "expected ident at",
    "is not of type",
    "anyOf",
    "[0, ",
    "NotFound",
    "PermissionDenied",
    "required property",
    "regex parse error",
    ": error: ",
    "\u{fffd}",
];

/// The mistakes, as a person is shown them: `FILE:LINE:COLUMN: KEY: MESSAGE`. Each has a hint, and says nothing raw.
#[track_caller]
fn mistakes(files: &TestFiles, config: &str) -> Vec<String> {
    let mut command = Command::new(binary());
    command
        .args(["check", "--format", "json"])
        .arg(files.write_config(config));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{config}\n{shown:#}");
    let dir = format!("{}/", files.dir().display());
    let said = shown["errors"].as_array().unwrap().iter().map(|mistake| {
        let text = |key: &str| mistake[key].as_str().unwrap_or_default().replace(&dir, "");
        let (file, key, message, hint) = (text("file"), text("key"), text("message"), text("hint"));
        let said = format!("{file}:{}:{}: {key}: {message}", mistake["line"], mistake["column"]);
        assert!(!hint.is_empty(), "no hint: {said}");
        assert!(
            files.dir().join(&file).exists(),
            "a mistake is in a file that is there: {said}"
        );
        for raw in RAW {
            assert!(
                !message.contains(raw) && !hint.contains(raw),
                "{raw:?} is in: {said}\n{hint}"
            );
        }
        said.replace(": : ", ": ")
    });
    said.collect()
}

/// One mistake, which begins like this and has this in it.
#[track_caller]
fn only(files: &TestFiles, config: &str, place: &str, words: &str) {
    let said = mistakes(files, config);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].starts_with(&format!("{place}: ")) && said[0].contains(words),
        "{place}, {words}: {}",
        said[0]
    );
}

/// A route with this stage, which is in line 6.
fn chain(stage: &str) -> String {
    listening(&format!(
        "[[route]]\nname = \"a\"\npath = \"/a\"\nchain = [{stage}]\nintegration = {{ respond = 200 }}\n"
    ))
}

/// Files of every wrong kind.
fn files() -> TestFiles {
    let files = TestFiles::default()
        .with("text", "no certificate, no schema, no keys")
        .with("latin1", b"one\ncaf\xe9 = 1\n")
        .with("utf16", b"\xff\xfea\0")
        .with("empty", "")
        .with("folder/file", "")
        .with("broken.json", "{\n  \"type\": \"object\",\n  oops\n}")
        .with("cut.json", "{\n  \"keys\": [");
    symlink("loop", files.dir().join("loop")).unwrap();
    files
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason_wherever_it_is_named() {
    let files = files();
    for (name, reason) in [
        ("nowhere", "No such file or directory"),
        ("folder", "Is a directory"),
        ("text/below", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
    ] {
        for (place, stage) in [
            (
                "gateway.toml:6:36: route[0].chain[0].schema_file",
                "{ use = \"validate\", schema_file = \"F\" }",
            ),
            (
                "gateway.toml:6:39: route[0].chain[0].request.file",
                "{ use = \"body\", request = { file = \"F\", content_type = \"a/b\" } }",
            ),
            (
                "gateway.toml:6:38: route[0].chain[0].keys",
                "{ use = \"api-key\", header = \"k\", keys = \"F\" }",
            ),
            (
                "gateway.toml:6:27: route[0].chain[0].users",
                "{ use = \"basic\", users = \"F\" }",
            ),
            (
                "gateway.toml:6:55: route[0].chain[0].credentials",
                "{ use = \"sigv4\", service = \"execute-api\", credentials = \"F\" }",
            ),
            (
                "gateway.toml:6:25: route[0].chain[0].jwks",
                "{ use = \"jwt\", jwks = \"file:F\", audiences = [\"a\"] }",
            ),
            (
                "gateway.toml:6:11: route[0].chain[0]",
                "{ use = \"waf\", rules = [\"F\"] }",
            ),
        ] {
            // The key may be that of the stage; the line is right in any case.
            let said = mistakes(&files, &chain(&stage.replace('F', name)));
            assert_eq!(said.len(), 1, "{stage}: {said:#?}");
            let key = place.rsplit(": ").next().unwrap();
            assert!(
                said[0].starts_with("gateway.toml:6:") && said[0].contains(key) && said[0].contains(name),
                "{place}: {}",
                said[0]
            );
            let is_folder_of_rules = name == "folder" && stage.contains("waf");
            let is_no_file = name == "folder" && stage.contains("jwks");
            assert!(
                said[0].contains(reason) || is_folder_of_rules || is_no_file,
                "{reason}: {}",
                said[0]
            );
        }
        let tls = |keys: &str| listening(&format!("tls = {{ {} }}\n", keys.replace('F', name)));
        only(
            &files,
            &tls("certificate = \"F\", key = \"F\""),
            "gateway.toml:3:23: listener.public.tls.certificate",
            reason,
        );
        for (place, section) in [
            (
                "gateway.toml:9:9: admin.token",
                "[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"file:F\"\n",
            ),
            (
                "gateway.toml:9:15: admin.explain_key",
                "[admin]\naddress = \"127.0.0.1:0\"\nexplain_key = \"file:F\"\n",
            ),
            (
                "gateway.toml:9:12: redis.password",
                "[redis]\nservers = [\"redis://127.0.0.1:1\"]\npassword = \"file:F\"\n",
            ),
            (
                "gateway.toml:9:6: redis.ca",
                "[redis]\nservers = [\"rediss://127.0.0.1:1\"]\nca = \"F\"\n",
            ),
            (
                "gateway.toml:9:6: upstream.app.ca",
                "[upstream.app]\ntargets = [{ url = \"https://127.0.0.1:1\" }]\nca = \"F\"\n",
            ),
        ] {
            let is_used = match section.contains("upstream") {
                true => "integration = { http = \"app\" }",
                false => "integration = { respond = 200 }",
            };
            let route = format!("[[route]]\nname = \"a\"\npath = \"/a\"\n{is_used}\n");
            let config = listening(&(route + &section.replace('F', name)));
            only(&files, &config, place, reason);
        }
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named_with_the_place_in_it() {
    let files = files()
        .with("list.json", "[1]")
        .with("type.json", "{ \"type\": \"objekt\", \"minimum\": \"x\" }")
        .with("ref.json", "{ \"$ref\": \"https://a.example/b.json\" }")
        .with("t1", "one\n{{ two three }}\n")
        .with("t2", "{{ request.bdy }}\n{{ nosuch }}")
        .with("t3", "{% if x %}\n")
        .with("none.json", "{ \"keys\": [] }")
        .with(
            "weak.json",
            "{ \"keys\": [{ \"kty\": \"RSA\", \"n\": \"AQ\", \"e\": \"AQAB\" }] }",
        )
        .with("users", "alice:plain\nbob\n")
        .with("keys.toml", "[[key]]\nname = \"a\"\nsha256 = \"short\"\n");
    let (schema, template) = (
        |file: &str| chain(&format!("{{ use = \"validate\", schema_file = \"{file}\" }}")),
        |file: &str| {
            chain(&format!(
                "{{ use = \"body\", request = {{ file = \"{file}\", content_type = \"a/b\" }} }}"
            ))
        },
    );
    let jwks = |file: &str| {
        chain(&format!(
            "{{ use = \"jwt\", jwks = \"file:{file}\", audiences = [\"a\"] }}"
        ))
    };
    for (config, said) in [
        (schema("text"), &["text:1:2: route `a`: the schema is not JSON"][..]),
        (
            schema("broken.json"),
            &["broken.json:3:3: route `a`: the schema is not JSON"],
        ),
        (
            schema("cut.json"),
            &["cut.json:2:11: route `a`: the schema is not JSON: it ends too early"],
        ),
        (
            schema("empty"),
            &["empty:1:1: route `a`: the schema is not JSON: it ends too early"],
        ),
        (schema("latin1"), &["latin1:1:1: route `a`: the schema is not JSON"]),
        (
            schema("list.json"),
            &["list.json:1:1: route `a`: the schema cannot be used: the value is no boolean or object"],
        ),
        (
            schema("type.json"),
            &[
                "type.json:1:1: route `a`: the schema cannot be used: `/minimum`: the value is no number",
                "type.json:1:1: route `a`: the schema cannot be used: `/type`: there is no such type",
            ],
        ),
        (
            schema("ref.json"),
            &["ref.json:1:1: route `a`: the schema cannot be used: it refers to something that is not in it"],
        ),
        (
            template("t1"),
            &["t1:2:8: route `a`: syntax error: unexpected identifier"],
        ),
        (
            template("t2"),
            &[
                "t2:1:4: route `a`: nothing is called `request.bdy`",
                "t2:2:4: route `a`: nothing is called `nosuch`",
            ],
        ),
        (
            template("t3"),
            &["t3:1:9: route `a`: syntax error: unexpected end of input"],
        ),
        (
            template("latin1"),
            &["latin1:2:4: route `a`: the file is not UTF-8 text: line 2 has the byte 0xE9 at column 4"],
        ),
        (template("utf16"), &["utf16:1:1: route `a`: the file is UTF-16"]),
        (
            jwks("text"),
            &[
                "gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of text: it is not a set of keys",
            ],
        ),
        (
            jwks("cut.json"),
            &["gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of cut.json: "],
        ),
        (
            jwks("list.json"),
            &["gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of list.json: "],
        ),
        (
            jwks("none.json"),
            &[
                "gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of none.json: there are no keys in it",
            ],
        ),
        (
            jwks("weak.json"),
            &[
                "gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of weak.json: no key in it can be used: ",
            ],
        ),
        (
            jwks("latin1"),
            &["gateway.toml:6:32: route[0].chain[0].jwks: route `a`: cannot use the keys of latin1: "],
        ),
        (
            chain("{ use = \"basic\", users = \"users\" }"),
            &[
                "users:1:1: it is neither a hash of bcrypt nor of argon2id",
                "users:2:1: it is not a name, a colon and a hash",
            ],
        ),
        (
            chain("{ use = \"basic\", users = \"latin1\" }"),
            &["latin1:2:4: the file is not UTF-8 text"],
        ),
        (
            chain("{ use = \"api-key\", header = \"k\", keys = \"keys.toml\" }"),
            &["keys.toml:3:10: key[0].sha256: "],
        ),
        (
            chain("{ use = \"api-key\", header = \"k\", keys = \"latin1\" }"),
            &["latin1:2:4: the file is not UTF-8 text"],
        ),
        (
            chain(
                "{ use = \"validate\", query = { a = { schema = { type = \"objekt\" } }, b = { schema = { pattern = \"(?=a)\" } } } }",
            ),
            &[
                "gateway.toml:6:10: route[0].chain[0]: route `a`: the schema of the parameter `a` cannot be used: `/type`: ",
                "gateway.toml:6:10: route[0].chain[0]: route `a`: the schema of the parameter `b` cannot be used: `/pattern`: ",
            ],
        ),
        (
            chain(
                "{ use = \"body\", request = { template = \"{{ a\", content_type = \"a/b\" }, response = { template = \"{{ nosuch }}\", content_type = \"a/b\" } }",
            ),
            &[
                "gateway.toml:6:10: route[0].chain[0]: route `a`: `request.template`, line 1, column 4: syntax error",
                "gateway.toml:6:10: route[0].chain[0]: route `a`: `response.template`, line 1, column 4: nothing is called `nosuch`",
            ],
        ),
    ] {
        let found = mistakes(&files, &config);
        assert_eq!(found.len(), said.len(), "{config}: {found:#?}");
        for (found, said) in found.iter().zip(said) {
            assert!(found.starts_with(said), "{said} is not how this begins: {found}");
        }
    }
}

#[test]
fn certificates_and_keys_that_do_not_fit_are_said_in_words() {
    let certificates = Certificates::new();
    let read = |name: &str| fs::read(certificates.file(name)).unwrap();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let files = files()
        .with("a.pem", read("server.pem"))
        .with("a.key", read("server.key"))
        .with("b.key", read("wrong.key"))
        .with("damaged.pem", damaged)
        .with("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n")
        .with(
            "noise.pem",
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        )
        .with(
            "key.pem",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        );
    let tls = |keys: &str| listening(&format!("tls = {{ {keys} }}\n"));
    let (own, clients) = ("certificate = \"a.pem\", key = \"a.key\"", "client_auth = \"required\"");
    for (keys, key, words) in [
        (
            "certificate = \"a.pem\", key = \"b.key\"".to_owned(),
            "key",
            "the key is not the one that the certificate was issued for",
        ),
        (
            "certificate = \"a.pem\", key = \"a.pem\"".to_owned(),
            "key",
            "it has no section `PRIVATE KEY`",
        ),
        (
            "certificate = \"a.pem\", key = \"key.pem\"".to_owned(),
            "key",
            "a.pem with key key.pem: ",
        ),
        (
            "certificate = \"a.key\", key = \"a.key\"".to_owned(),
            "certificate",
            "no CERTIFICATE section",
        ),
        (
            "certificate = \"text\", key = \"a.key\"".to_owned(),
            "certificate",
            "no CERTIFICATE section",
        ),
        (
            "certificate = \"empty\", key = \"a.key\"".to_owned(),
            "certificate",
            "no CERTIFICATE section",
        ),
        (
            "certificate = \"cut.pem\", key = \"a.key\"".to_owned(),
            "certificate",
            "a section does not end",
        ),
        (
            "certificate = \"noise.pem\", key = \"a.key\"".to_owned(),
            "certificate",
            "not base64",
        ),
        (
            "certificate = \"damaged.pem\", key = \"a.key\"".to_owned(),
            "certificate",
            "what is in it is not DER",
        ),
        (
            format!("{own}, {clients}, client_ca = \"a.key\""),
            "client_ca",
            "no CERTIFICATE section",
        ),
        (
            format!("{own}, {clients}, client_ca = \"damaged.pem\""),
            "client_ca",
            "",
        ),
        (
            format!("{own}, {clients}, client_ca = \"a.pem\", client_crl = \"a.pem\""),
            "client_crl",
            "it has no X509 CRL section",
        ),
        (
            format!("{own}, {clients}, client_ca = \"a.pem\", client_crl = \"text\""),
            "client_crl",
            "it has no X509 CRL section",
        ),
    ] {
        let said = mistakes(&files, &tls(&keys));
        assert_eq!(said.len(), 1, "{keys}: {said:#?}");
        assert!(
            said[0].starts_with("gateway.toml:3:") && said[0].contains(&format!(": listener.public.tls.{key}: ")),
            "{keys}: {}",
            said[0]
        );
        assert!(said[0].contains(words), "{words}: {}", said[0]);
    }
    let upstream = |keys: &str| {
        routed(
            "https://127.0.0.1:1",
            "[[route]]\nname = \"a\"\npath = \"/a\"\nintegration = { http = \"app\" }\n",
        )
        .replace("[[route]]", &format!("{keys}\n[[route]]"))
    };
    for (keys, place, words) in [
        ("ca = \"damaged.pem\"", "gateway.toml:5:6: upstream.app.ca", ""),
        (
            "ca = \"text\"",
            "gateway.toml:5:6: upstream.app.ca",
            "no CERTIFICATE section",
        ),
        (
            "client_certificate = \"a.pem\"\nclient_key = \"b.key\"",
            "gateway.toml:6:14: upstream.app.client_key",
            "the key is not the one that the certificate was issued for",
        ),
        (
            "client_certificate = \"damaged.pem\"\nclient_key = \"a.key\"",
            "gateway.toml:5:22: upstream.app.client_certificate",
            "DER",
        ),
    ] {
        only(&files, &upstream(keys), place, words);
    }
}

#[test]
fn a_plugin_that_cannot_be_used_is_said_in_words() {
    let files = files()
        .with("plugins/text.wasm", "no WebAssembly")
        .with("plugins/empty.wasm", "")
        .with("plugins/module.wasm", guests::wat("empty-module"))
        .with("plugins/component.wasm", guests::wat("empty-component"))
        .with("plugins/cut.wasm", &guests::plugin("tidy-query")[..1000])
        .with("plugins/signed.wasm", guests::plugin("token-authorizer"))
        .with("plugins/identicon.wasm", guests::plugin("identicon"));
    fs::create_dir(files.dir().join("plugins/folder.wasm")).unwrap();
    let config = |plugin: &str, config: &str| {
        chain(&format!("{{ plugin = \"{plugin}\"{config} }}")) + "[plugins]\ndirectory = \"plugins\"\n"
    };
    let stage = "gateway.toml:6:10: route[0].chain[0]";
    for plugin in [
        "nowhere",
        "text",
        "empty",
        "module",
        "component",
        "cut",
        "folder",
        "identicon",
    ] {
        only(&files, &config(plugin, ""), stage, &format!("plugin `{plugin}`"));
    }
    let said = mistakes(&files, &config("signed", ", config = { secret = 1, isuer = \"a\" }"));
    for words in [
        "the key `issuer` is missing",
        "there is no key `isuer`",
        "`config/secret`: ",
    ] {
        let at = format!("{stage}.config: ");
        assert!(
            said.iter().any(|said| said.starts_with(&at) && said.contains(words)),
            "{words}: {said:#?}"
        );
    }
}

#[test]
fn what_a_start_finds_comes_together_with_all_that_a_check_finds() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let files = files();
    fs::set_permissions(files.dir().join("text"), fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        r#"[listener.a]
address = "{taken}"
[listener.b]
address = "192.0.2.1:80"
[listener.c]
address = "unix:text"
[listener.d]
address = "unix:nowhere/socket"
[admin]
address = "{taken_too}"
[access_log]
output = "file:nowhere/access.log"
[state]
snapshot = "folder"
[response_cache.disk]
directory = "text"
[plugins]
store = "text"
[[route]]
name = "a"
path = "/a"
chain = [{{ use = "validate", schema_file = "cut.json" }}, {{ use = "basic", users = "nowhere" }}]
integration = {{ respond = 200 }}
"#,
        taken_too = {
            let other = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = other.local_addr().unwrap();
            // Held until the process ends.
            std::mem::forget(other);
            address
        }
    );
    let file = files.write_config(&config);
    let limit = "20";
    let output = Command::new("timeout")
        .arg(limit)
        .arg(binary())
        .arg("run")
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr)
        .unwrap()
        .replace(&format!("{}/", files.dir().display()), "");
    assert_eq!(output.status.code(), Some(2), "{said}");
    for (place, words) in [
        (
            "gateway.toml:2:11: listener.a.address",
            "listener `a`: cannot listen on",
        ),
        (
            "gateway.toml:4:11: listener.b.address",
            "listener `b`: cannot listen on 192.0.2.1:80",
        ),
        (
            "gateway.toml:6:11: listener.c.address",
            "a file that is not a socket is in the way",
        ),
        ("gateway.toml:8:11: listener.d.address", "No such file or directory"),
        ("gateway.toml:10:11: admin.address", "the address is in use"),
        (
            "gateway.toml:12:10: access_log.output",
            "cannot open nowhere/access.log: No such file or directory",
        ),
        (
            "gateway.toml:14:12: state.snapshot",
            "cannot read folder: Is a directory",
        ),
        ("gateway.toml:16:13: response_cache.disk.directory", "text"),
        (
            "gateway.toml:18:9: plugins.store",
            "cannot use the compiled-code store text: it is not a directory",
        ),
        ("cut.json:2:11", "the schema is not JSON: it ends too early"),
        (
            "gateway.toml:22:83: route[0].chain[1].users",
            "cannot read nowhere: No such file or directory",
        ),
    ] {
        let mut lines = said
            .lines()
            .skip_while(|line| !line.trim_start_matches("error: ").starts_with(&format!("{place}: ")));
        let line = lines.next().unwrap_or_else(|| panic!("{place}: {said}"));
        assert!(line.contains(words), "{words}: {line}");
        assert!(
            lines.next().is_some_and(|hint| hint.starts_with("  hint: ")),
            "{line}: {said}"
        );
        assert!(
            !RAW.iter().any(|raw| line.trim_start_matches("error: ").contains(raw)),
            "{line}"
        );
    }
}

#[test]
fn a_check_finds_what_is_in_the_way_of_what_a_start_makes() {
    let files = files();
    let config = chain("")
        + "[access_log]\noutput = \"file:folder\"\n[response_cache.disk]\ndirectory = \"text\"\n[state]\nsnapshot = \"text\"\n";
    let said = mistakes(&files, &config);
    for (place, words) in [
        (
            "gateway.toml:9:10: access_log.output",
            "cannot open folder: is a directory",
        ),
        (
            "gateway.toml:11:13: response_cache.disk.directory",
            "text is not a folder",
        ),
        (
            "gateway.toml:13:12: state.snapshot",
            "text is not a snapshot of this gateway: ",
        ),
    ] {
        let of_place = said.iter().find(|said| said.starts_with(&format!("{place}: ")));
        assert!(of_place.is_some_and(|said| said.contains(words)), "{place}: {said:#?}");
    }
    assert_eq!(said.len(), 3, "{said:#?}");
}

#[test]
fn an_entry_of_include_that_cannot_be_read_is_said_with_the_reason_and_the_remedy() {
    let files = files();
    for (name, words) in [
        ("nowhere.toml", "cannot include nowhere.toml: No such file or directory"),
        (
            "latin1",
            "cannot include latin1: the file is not UTF-8 text: line 2 has the byte 0xE9 at column 4",
        ),
        ("utf16", "cannot include utf16: the file is UTF-16"),
        ("loop", "cannot include loop: Too many levels of symbolic links"),
        ("*.toml", "patterns are not understood here"),
    ] {
        let config = format!("include = [\"{name}\"]\n{}", chain(""));
        only(&files, &config, "gateway.toml:1:12: include[0]", words);
    }
}

#[test]
fn a_file_that_is_no_recorded_call_is_said_with_its_place() {
    let files = files();
    for (name, place) in [
        ("text", "text:1:2: "),
        ("broken.json", "broken.json:3:3: "),
        ("cut.json", "cut.json:2:11: "),
    ] {
        let mut command = Command::new(binary());
        command
            .args(["replay", name])
            .current_dir(files.dir())
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: {place}it is no recorded call: it is not JSON");
        assert!(!output.status.success() && said.starts_with(&expected), "{said}");
    }
}
