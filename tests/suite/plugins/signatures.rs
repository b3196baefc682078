//! Signatures of plugins: nothing of a file is looked at before somebody whose signature counts has signed it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, TestGateway, TestProcess, eventually, guests, http};
use gatewright_wasm::signature::{SecretKey, sign};
use serde_json::Value;

use super::setup::{PATIENT, base_with, route};

const FILE: &str = "plugins/changing.wasm";
const SIGNATURE: &str = "plugins/changing.wasm.sig";

/// A gateway's configuration in which the two keys may sign.
fn config(team: &SecretKey, vendor: &SecretKey, plugins: &str, plugin: &str) -> String {
    let publishers = format!(
        "{plugins}\npublishers = {{ team = [\"{}\"], vendor = [\"{}\"] }}",
        team.public(),
        vendor.public()
    );
    [
        base_with(&publishers),
        format!("[plugin.changing]\n{PATIENT}\n{plugin}\n"),
        route("version", "", "plugin = \"changing\""),
    ]
    .concat()
}

fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::generate().unwrap(), SecretKey::generate().unwrap())
}

fn versions() -> [Vec<u8>; 2] {
    [guests::guest("version-one"), guests::guest("version-two")]
}

fn version(gateway: &TestGateway) -> String {
    http(gateway.addr("public"), "GET", "/version", &[], b"").text()
}

fn refusal(files: TestFiles, config: &str) -> String {
    files.try_start(config).err().expect("it is not to be trusted")
}

#[test]
fn a_plugin_that_nobody_signed_is_not_loaded_where_a_signature_is_required() {
    let (team, vendor) = keys();
    let config = config(&team, &vendor, "require_signed = true", "");
    // Not even looked at: it is no WebAssembly, and that is not what is said.
    let said = refusal(TestFiles::default().with(FILE, "no plugin at all"), &config);
    for words in [
        "plugin `changing`",
        "it is not signed",
        "changing.wasm.sig",
        "gatewright plugin sign",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let mine = SecretKey::generate().unwrap();
    let [one, _] = versions();
    let files = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&one, &mine));
    let said = refusal(files, &config);
    assert!(
        said.contains("no publisher's") && said.contains(&mine.public().to_string()),
        "{said}"
    );
}

#[test]
fn who_signed_a_plugin_is_shown() {
    let (team, vendor) = keys();
    let [one, _] = versions();
    let files = TestFiles::default()
        .with(FILE, &one)
        .with(SIGNATURE, sign(&one, &vendor));
    let gateway = files.start(&config(&team, &vendor, "require_signed = true", ""));
    assert_eq!(version(&gateway), "v1");
    let shown = http(gateway.admin(), "GET", "/plugins", &[], b"").text();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["plugins"][0]["plugin"]["publisher"], "vendor");
}

#[test]
fn a_file_that_is_replaced_without_its_signature_waits_for_it_and_the_last_good_one_serves() {
    let (team, vendor) = keys();
    let [one, two] = versions();
    let config = config(&team, &vendor, "require_signed = true", "");
    let files = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&one, &team));
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    let version = || http(process.addr("public"), "GET", "/version", &[], b"").text();
    let write = |name: &str, bytes: &[u8]| {
        let aside = process.dir().join("aside");
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, process.dir().join(name)).unwrap();
    };
    let reload = || http(process.admin(), "POST", "/reload", &[], b"");

    write(FILE, &two);
    let refused = reload();
    let said = refused.text();
    assert_eq!(refused.status, 422, "{said}");
    for words in [
        "changing.wasm.sig is not that of this file",
        "put the two in place that belong together",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(version(), "v1");

    // A signature that is being written.
    let signature = sign(&two, &team);
    write(SIGNATURE, &signature.as_bytes()[..100]);
    let said = reload().text();
    assert!(said.contains("it may be half-written"), "{said}");
    assert_eq!(version(), "v1");

    // By itself, as soon as the pair is whole.
    write(SIGNATURE, signature.as_bytes());
    eventually("the pair serves", || (version() == "v2").then_some(()));
}

#[test]
fn a_signature_that_is_taken_away_stops_the_next_reload_and_nothing_else() {
    let (team, vendor) = keys();
    let [one, _] = versions();
    let files = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&one, &team));
    let gateway = files.start(&config(&team, &vendor, "require_signed = true", ""));
    std::fs::remove_file(gateway.dir().join(SIGNATURE)).unwrap();
    let said = gateway.reload().unwrap_err();
    assert!(said.contains("it is not signed"), "{said}");
    assert_eq!(version(&gateway), "v1");
}

#[test]
fn a_plugin_may_be_left_to_one_publisher() {
    let (team, vendor) = keys();
    let [one, _] = versions();
    let config = config(&team, &vendor, "", "publishers = [\"team\"]");
    let files = TestFiles::default()
        .with(FILE, &one)
        .with(SIGNATURE, sign(&one, &vendor));
    let said = refusal(files, &config);
    assert!(
        said.contains("signed by `vendor`, and may be signed by `team` only"),
        "{said}"
    );
    // And it needs a signature, though others do not.
    let said = refusal(TestFiles::default().with(FILE, &one), &config);
    assert!(said.contains("it is not signed"), "{said}");
    let gateway = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&one, &team));
    assert_eq!(version(&gateway.start(&config)), "v1");
}

#[test]
fn a_signature_that_is_not_needed_must_still_be_right() {
    let (team, vendor) = keys();
    let [one, two] = versions();
    let config = config(&team, &vendor, "", "");
    let unsigned = TestFiles::default().with(FILE, &one);
    assert_eq!(version(&unsigned.start(&config)), "v1");
    let files = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&two, &team));
    let said = refusal(files, &config);
    assert!(said.contains("is not that of this file"), "{said}");
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.current_dir(folder).arg("plugin").args(arguments);
    command.output().expect("the binary can be run")
}

#[test]
fn keygen_sign_and_verify_belong_together() {
    let [one, _] = versions();
    let files = TestFiles::default().with(FILE, &one);
    let run = |arguments: &[&str]| run(files.dir(), arguments);
    let made = run(&["keygen", "team"]);
    assert!(made.status.success(), "{made:?}");
    let mode = std::fs::metadata(files.dir().join("team"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // What is printed is what the configuration needs.
    let printed = String::from_utf8(made.stdout).unwrap();
    let config = config(&keys().0, &keys().1, "require_signed = true", "");
    let (before, _) = config.split_once("publishers = ").unwrap();
    let after = config.split_once("}\n").unwrap().1;
    let config = files.write_config(&format!("{before}{printed}{after}"));
    let config = config.display().to_string();

    let again = run(&["keygen", "team"]);
    assert_eq!(again.status.code(), Some(2), "a key is not overwritten: {again:?}");

    let missing = run(&["verify", FILE, "--config", &config]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("it is not signed"));

    let signed = run(&["sign", FILE, "--key", "team"]);
    assert_eq!(String::from_utf8(signed.stdout).unwrap(), format!("{SIGNATURE}\n"));
    for who in [["--config", config.as_str()], ["--key", "team.pub"]] {
        let verified = run(&["verify", FILE, who[0], who[1]]);
        assert!(verified.status.success(), "{verified:?}");
        let said = String::from_utf8(verified.stdout).unwrap();
        assert!(said.contains("changing.wasm: signed by "), "{said}");
    }

    let changed = [one.as_slice(), b"\0"].concat();
    std::fs::write(files.dir().join(FILE), changed).unwrap();
    let verified = run(&["verify", FILE, "--key", "team.pub"]);
    assert_eq!(verified.status.code(), Some(2), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stderr).contains("is not that of this file"));

    let wrong = run(&["sign", FILE, "--key", "team.pub"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("it is not a private key"),
        "{wrong:?}"
    );
}
