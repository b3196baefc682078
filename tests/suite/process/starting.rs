//! X12: what keeps the process from starting, one clear message each, and exit code 2.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gatewright_tests::process::binary;
use gatewright_tests::{Certificates, TestFiles};

const ROUTE: &str = "[[route]]\nname = \"a\"\npath = \"/a\"\n";

fn listener(address: &str) -> String {
    format!("[listener.public]\naddress = \"{address}\"\n")
}

/// Runs the binary until it ends by itself, which it must do soon.
fn run(command: &str, files: &TestFiles, config: &str) -> Output {
    let config = files.write_config(config);
    // Killed when it serves after all.
    let limit = Duration::from_secs(10).as_secs().to_string();
    let output = Command::new("timeout")
        .arg(limit)
        .arg(binary())
        .arg(command)
        .arg(config)
        .stdin(Stdio::null())
        .output();
    output.expect("`timeout` of coreutils")
}

/// `run` and `check` both refuse with code 2 and one message that has all of `expected`.
#[track_caller]
fn assert_refused(files: &TestFiles, config: &str, expected: &[&str]) {
    assert_refused_by("run", files, config, expected);
    assert_refused_by("check", files, config, expected);
}

#[track_caller]
fn assert_refused_by(command: &str, files: &TestFiles, config: &str, expected: &[&str]) {
    let output = run(command, files, config);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{command}: {message}");
    let messages = message.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(messages, 1, "{command}: one message: {message}");
    assert!(!message.contains("panicked"), "{command}: {message}");
    for part in expected {
        assert!(message.contains(part), "{command}: {part:?} is not in: {message}");
    }
}

#[test]
fn x12_a_port_in_use_is_said_to_be_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let config = format!("{}{ROUTE}integration = {{ respond = 200 }}\n", listener(&address));
    assert_refused_by(
        "run",
        &TestFiles::default(),
        &config,
        &["listener `public`", &address, "in use"],
    );
}

#[test]
fn x12_a_port_of_another_gateway_is_in_use() {
    let respond = format!("{ROUTE}integration = {{ respond = 200 }}\n");
    let first = gatewright_tests::TestProcess::start(&format!("{}{respond}", listener("127.0.0.1:0")));
    let address = first.addr("public").to_string();
    let config = format!("{}{respond}", listener(&address));
    assert_refused_by(
        "run",
        &TestFiles::default(),
        &config,
        &["listener `public`", &address, "in use"],
    );
}

#[test]
fn x12_an_admin_port_in_use_is_said_to_be_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let config = format!(
        "{}[admin]\naddress = \"{address}\"\n{ROUTE}integration = {{ respond = 200 }}\n",
        listener("127.0.0.1:0")
    );
    assert_refused_by(
        "run",
        &TestFiles::default(),
        &config,
        &["admin", &address.to_string(), "in use"],
    );
}

#[test]
fn x12_an_address_that_is_not_ours_is_refused() {
    let config = format!(
        "{}{ROUTE}integration = {{ respond = 200 }}\n",
        listener("192.0.2.1:8080")
    );
    assert_refused_by(
        "run",
        &TestFiles::default(),
        &config,
        &["listener `public`", "192.0.2.1:8080"],
    );
}

#[test]
fn x12_a_certificate_that_cannot_be_used_is_named() {
    let certificates = Certificates::new();
    let (good, key, other) = ("server.pem", "server.key", "wrong.key");
    let read = |name: &str| std::fs::read(certificates.file(name)).unwrap();
    let files = TestFiles::default()
        .with("good.pem", read(good))
        .with("good.key", read(key))
        .with("other.key", read(other))
        .with(
            "garbage.pem",
            "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
        )
        .with("empty.pem", "");
    let certificate_place = "gateway.toml:4:15: listener.public.tls.certificate";
    let key_place = "gateway.toml:5:7: listener.public.tls.key";
    for (certificate, key, place, expected) in [
        (
            "missing.pem",
            "good.key",
            certificate_place,
            "cannot read certificate {dir}/missing.pem: No such file or directory",
        ),
        (
            "good.pem",
            "missing.key",
            key_place,
            "cannot read private key {dir}/missing.key: No such file or directory",
        ),
        (
            "garbage.pem",
            "good.key",
            certificate_place,
            "{dir}/garbage.pem holds no certificate in PEM form: what is between BEGIN and END is not base64",
        ),
        (
            "empty.pem",
            "good.key",
            certificate_place,
            "{dir}/empty.pem holds no certificate in PEM form: no CERTIFICATE section",
        ),
        (
            "good.key",
            "good.key",
            certificate_place,
            "{dir}/good.key holds no certificate in PEM form: no CERTIFICATE section",
        ),
        (
            "good.pem",
            "good.pem",
            key_place,
            "{dir}/good.pem holds no private key in PEM form: it has no section `PRIVATE KEY`",
        ),
        (
            "good.pem",
            "other.key",
            key_place,
            "cannot use certificate {dir}/good.pem with key {dir}/other.key: the key is not the one that the certificate was issued for",
        ),
    ] {
        let config = format!(
            "{}[listener.public.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{ROUTE}integration = {{ respond = 200 }}\n",
            listener("127.0.0.1:0")
        );
        let expected = expected.replace("{dir}", &files.dir().display().to_string());
        assert_refused(&files, &config, &[&format!("/{place}: {expected}\n")]);
    }
}

#[test]
fn x12_an_upstream_whose_authorities_cannot_be_used_is_named_with_its_place() {
    let files = TestFiles::default().with("empty.pem", "").with(
        "nonsense.pem",
        "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n",
    );
    for (ca, expected) in [
        (
            "missing.pem",
            "cannot read certificate {dir}/missing.pem: No such file or directory",
        ),
        (
            "empty.pem",
            "{dir}/empty.pem holds no certificate in PEM form: no CERTIFICATE section",
        ),
        (
            "nonsense.pem",
            "cannot use a certificate of {dir}/nonsense.pem: the certificate is damaged: what is in it is not DER",
        ),
    ] {
        let config = format!(
            "{}[upstream.\"the app\"]\ntargets = [\n  {{ url = \"http://localhost\" }},\n  {{ url = \"https://localhost\" }},\n]\n\
             ca = \"{ca}\"\n{ROUTE}integration = {{ http = \"the app\" }}\n",
            listener("127.0.0.1:0")
        );
        let expected = expected.replace("{dir}", &files.dir().display().to_string());
        assert_refused(
            &files,
            &config,
            &[&format!("gateway.toml:8:6: upstream.\"the app\".ca: {expected}\n")],
        );
    }
}

#[test]
fn x12_a_target_that_cannot_be_verified_is_named_with_its_place() {
    let config = format!(
        "{}[upstream.app]\ntargets = [{{ url = \"https://under_score-\" }}]\n{ROUTE}integration = {{ http = \"app\" }}\n",
        listener("127.0.0.1:0")
    );
    assert_refused(
        &TestFiles::default(),
        &config,
        &["gateway.toml:4:20: upstream.app.targets[0].url: cannot verify `under_score-`"],
    );
}

#[test]
fn x12_a_file_that_may_not_be_read_is_named() {
    // Nobody is forbidden anything as root, so the process runs as somebody else.
    let files = TestFiles::default().with("keys.toml", "");
    let open = |path: &std::path::Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    open(files.dir(), 0o777);
    open(&files.dir().join("keys.toml"), 0o000);
    let config = format!(
        "{}[access_log]\noutput = \"off\"\n{ROUTE}chain = [{{ use = \"api-key\", keys = \"keys.toml\", header = \"k\" }}]\n\
         integration = {{ respond = 200 }}\n",
        listener("127.0.0.1:0")
    );
    let config = files.write_config(&config);
    open(&config, 0o644);
    // The binary's own folder may be closed to others.
    let copy = files.dir().join("gatewright");
    std::fs::hard_link(binary(), &copy)
        .or_else(|_| std::fs::copy(binary(), &copy).map(drop))
        .unwrap();
    let mut command = Command::new("setpriv");
    if rustix::process::getuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let output = command
        .arg(copy)
        .arg("run")
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .expect("`setpriv` of util-linux");
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("keys.toml") && message.contains("ermission denied"),
        "{message}"
    );
}

#[test]
fn x12_a_store_of_compiled_plugins_that_cannot_be_written_is_named() {
    let files = TestFiles::default()
        .with("store", "a file, not a folder")
        .with("plugins/p.wasm", "\0asm");
    let config = format!(
        "{}[plugins]\ndirectory = \"plugins\"\nstore = \"store\"\n{ROUTE}integration = {{ plugin = \"p\" }}\n",
        listener("127.0.0.1:0")
    );
    assert_refused(&files, &config, &["store"]);
}

#[test]
fn x12_a_plugin_that_is_missing_or_none_is_named_with_its_place() {
    let empty_component = b"\0asm\x0d\0\x01\0";
    let files = TestFiles::default()
        .with("plugins/garbage.wasm", "not WebAssembly")
        .with("plugins/nothing.wasm", "")
        .with("plugins/module.wasm", b"\0asm\x01\0\0\0")
        .with("plugins/component.wasm", empty_component);
    for (plugin, expected) in [
        ("missing", "missing.wasm"),
        ("garbage", "garbage.wasm"),
        ("nothing", "nothing.wasm"),
        ("module", "component"),
        ("component", "component.wasm"),
    ] {
        let config = format!(
            "{}[plugins]\ndirectory = \"plugins\"\nstore = \"compiled\"\n{ROUTE}integration = {{ plugin = \"{plugin}\" }}\n",
            listener("127.0.0.1:0")
        );
        assert_refused(
            &files,
            &config,
            &["gateway.toml:9:", "route[0].integration: route `a`", plugin, expected],
        );
    }
}

#[test]
fn x12_a_plugin_of_another_interface_is_told_so() {
    for (guest, expected) in [
        ("newer-interface", "this gateway speaks"),
        ("other-world", "this component exports acme:warehouse/robot"),
        ("unknown-import", "component imports instance `acme:warehouse/stock"),
    ] {
        let files = TestFiles::default().with("plugins/p.wasm", gatewright_tests::guests::guest(guest));
        let config = format!(
            "{}[plugins]\ndirectory = \"plugins\"\nstore = \"compiled\"\n{ROUTE}integration = {{ plugin = \"p\" }}\n",
            listener("127.0.0.1:0")
        );
        assert_refused(
            &files,
            &config,
            &["gateway.toml:9:", "route[0].integration: route `a`", "p.wasm", expected],
        );
    }
}

#[test]
fn x12_a_configuration_that_is_missing_or_malformed_is_named_with_its_place() {
    let files = TestFiles::default();
    let missing = Command::new(binary())
        .arg("run")
        .arg(files.dir().join("none.toml"))
        .output()
        .unwrap();
    let message = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        message.contains("none.toml") && message.contains("cannot read the file"),
        "{message}"
    );
    assert_refused(&files, "[listener.public\n", &["gateway.toml:1:"]);
    assert_refused(
        &files,
        "[listener.public]\naddres = \"127.0.0.1:0\"\n",
        &["gateway.toml:2:1", "addres"],
    );
}

#[test]
fn x12_a_secret_that_is_not_there_is_named() {
    let config = format!(
        "{}[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"env:NO_SUCH_SECRET\"\n{ROUTE}integration = {{ respond = 200 }}\n",
        listener("127.0.0.1:0")
    );
    assert_refused(&TestFiles::default(), &config, &["admin.token", "NO_SUCH_SECRET"]);
}

#[test]
fn x12_an_access_log_that_cannot_be_written_is_named() {
    let config = format!(
        "{}[access_log]\noutput = \"file:no/such/folder/log\"\n{ROUTE}integration = {{ respond = 200 }}\n",
        listener("127.0.0.1:0")
    );
    assert_refused_by(
        "run",
        &TestFiles::default(),
        &config,
        &["access_log.output", "no/such/folder/log"],
    );
}
