//! The lock file: no plugin serves that is another, or wants more, than somebody approved.

use std::process::{Command, Output};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, TestGateway, TestProcess, eventually, guests, http};
use gatewright_wasm::signature::{SecretKey, sign};

use super::setup::{PATIENT, base_with, route};

const FILE: &str = "plugins/changing.wasm";
const LOCK: &str = "gateway.lock";

fn config(plugins: &str) -> String {
    [
        base_with(plugins),
        format!("[plugin.changing]\n{PATIENT}\n"),
        route("version", "", "plugin = \"changing\""),
    ]
    .concat()
}

fn lock(files: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .current_dir(files)
        .args(["plugin", "lock", "gateway.toml"])
        .args(arguments);
    command.output().expect("the binary can be run")
}

fn printed_by(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Files with version one, approved.
fn approved(config: &str) -> TestFiles {
    let files = TestFiles::default().with(FILE, guests::guest("version-one"));
    files.write_config(config);
    let output = lock(files.dir(), &[]);
    assert!(output.status.success(), "{}", printed_by(&output));
    files
}

fn version(gateway: &TestGateway) -> String {
    http(gateway.addr("public"), "GET", "/version", &[], b"").text()
}

#[test]
fn a_reload_stops_when_a_new_version_wants_more_than_was_approved_until_it_is() {
    let config = config("lock_policy = \"wishes\"");
    let files = approved(&config);
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    let version = || http(process.addr("public"), "GET", "/version", &[], b"").text();
    let replace = |guest: &str| {
        let aside = process.dir().join("aside");
        std::fs::write(&aside, guests::guest(guest)).unwrap();
        std::fs::rename(aside, process.dir().join(FILE)).unwrap();
        http(process.admin(), "POST", "/reload", &[], b"")
    };
    assert_eq!(version(), "v1");

    // Another file that wants the same needs nobody.
    let reloaded = replace("version-two");
    assert_eq!(
        (reloaded.status, version().as_str()),
        (200, "v2"),
        "{}",
        reloaded.text()
    );

    let refused = replace("version-three");
    assert_eq!(refused.status, 422);
    let said = refused.text();
    for words in [
        "plugin `changing` v3 newly wants http-client and reads all request fields",
        "run `gatewright plugin lock` to accept",
        "put the approved version v1 back",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(version(), "v2", "the last good one serves");
    let shown = http(process.admin(), "GET", "/plugins", &[], b"").text();
    assert!(shown.contains("v3 newly wants http-client"), "{shown}");

    // Approving it is all there is to do: the lock file is watched.
    let locked = lock(process.dir(), &[]);
    assert!(locked.status.success());
    let printed = printed_by(&locked);
    assert!(
        printed.contains("changing v3 (was v1) newly wants http-client and reads all request fields"),
        "{printed}"
    );
    eventually("the approved version serves", || (version() == "v3").then_some(()));
}

#[test]
fn by_default_a_file_must_be_the_very_one_that_was_approved() {
    let config = config("");
    let files = approved(&config);
    let gateway = files.start(&config);
    gateway.write(FILE, guests::guest("version-two"));
    let said = gateway.reload().unwrap_err();
    for words in [
        "plugin `changing` v2 is another file",
        "approved (v1)",
        "wants nothing more",
        "gatewright plugin lock",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(version(&gateway), "v1");
    gateway.write(FILE, guests::guest("version-one"));
    gateway.reload().unwrap();
    assert_eq!(version(&gateway), "v1");
}

#[test]
fn a_plugin_that_nobody_approved_does_not_serve() {
    let config = config("");
    let files = approved(&config);
    let more = format!("{config}{}", route("other", "", "plugin = \"other\""));
    let gateway = files.start(&config);
    gateway.write("plugins/other.wasm", guests::guest("version-one"));
    gateway.rewrite_config(&more);
    let said = gateway.reload().unwrap_err();
    assert!(said.contains("plugin `other` v1 is not in the lock file"), "{said}");
    assert!(said.contains("wants metrics"), "{said}");
    assert_eq!(version(&gateway), "v1");
}

#[test]
fn a_lock_file_that_is_wrong_gone_or_half_written_changes_nothing_that_serves() {
    let locked = config("");
    let files = approved(&locked);
    let whole = std::fs::read(files.dir().join(LOCK)).unwrap();
    let gateway = files.start(&locked);
    gateway.write(LOCK, &whole[..whole.len() / 2]);
    let said = gateway.reload().unwrap_err();
    assert!(said.contains("gateway.lock:"), "{said}");

    std::fs::remove_file(gateway.dir().join(LOCK)).unwrap();
    gateway.write(FILE, guests::guest("version-two"));
    let said = gateway.reload().unwrap_err();
    assert!(said.contains("is gone") && said.contains("hint: put it back"), "{said}");
    assert_eq!(version(&gateway), "v1");

    gateway.rewrite_config(&config("lock = \"off\""));
    gateway.reload().unwrap();
    assert_eq!(version(&gateway), "v2");
}

#[test]
fn a_lock_file_that_must_be_there_is_asked_for() {
    let config = config("lock = \"required\"");
    let files = TestFiles::default().with(FILE, guests::guest("version-one"));
    let said = files.check(&config).unwrap_err();
    assert!(
        said.contains("there is no lock file") && said.contains("run `gatewright plugin lock`"),
        "{said}"
    );
    assert!(lock(files.dir(), &[]).status.success());
    files.check(&config).unwrap();
}

#[test]
fn check_says_whether_the_lock_file_is_up_to_date_and_writes_nothing() {
    let config = config("");
    let files = TestFiles::default().with(FILE, guests::guest("version-one"));
    files.write_config(&config);
    let output = lock(files.dir(), &["--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed_by(&output).contains("changing v1 is new: it exports"),
        "{}",
        printed_by(&output)
    );
    assert!(!files.dir().join(LOCK).exists());

    assert!(lock(files.dir(), &[]).status.success());
    let written = std::fs::read(files.dir().join(LOCK)).unwrap();
    let output = lock(files.dir(), &["--check"]);
    assert!(
        output.status.success() && printed_by(&output).contains("up to date"),
        "{}",
        printed_by(&output)
    );

    let files = files.with(FILE, guests::guest("version-two"));
    let output = lock(files.dir(), &["--check"]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed_by(&output);
    assert!(
        text.contains("changing v2 (was v1) wants nothing more") && text.contains("out of date"),
        "{text}"
    );
    assert_eq!(std::fs::read(files.dir().join(LOCK)).unwrap(), written);

    let files = files.with(LOCK, "half");
    assert_eq!(lock(files.dir(), &["--check"]).status.code(), Some(1));
    assert!(lock(files.dir(), &[]).status.success(), "a broken one is written anew");
    assert!(lock(files.dir(), &["--check"]).status.success());
}

#[test]
fn one_plugin_can_be_approved_alone() {
    let config = format!("{}{}", config(""), route("other", "", "plugin = \"other\""));
    let files = TestFiles::default().with(FILE, guests::guest("version-one"));
    let files = files.with("plugins/other.wasm", guests::guest("version-one"));
    files.write_config(&config);
    assert!(lock(files.dir(), &[]).status.success());
    let files = files.with(FILE, guests::guest("version-two"));
    let files = files.with("plugins/other.wasm", guests::guest("version-two"));
    let output = lock(files.dir(), &["--only", "other"]);
    assert!(
        output.status.success() && !printed_by(&output).contains("changing"),
        "{}",
        printed_by(&output)
    );
    let output = lock(files.dir(), &["--check"]);
    let text = printed_by(&output);
    assert!(text.contains("changing v2") && !text.contains("other v2"), "{text}");
    assert_eq!(lock(files.dir(), &["--only", "another"]).status.code(), Some(2));
}

#[test]
fn another_publisher_is_something_to_approve() {
    let [team, vendor] = [(); 2].map(|()| SecretKey::generate().unwrap());
    let publishers = format!(
        "lock_policy = \"wishes\"\npublishers = {{ team = [\"{}\"], vendor = [\"{}\"] }}",
        team.public(),
        vendor.public()
    );
    let config = config(&publishers);
    let one = guests::guest("version-one");
    let signature = "plugins/changing.wasm.sig";
    let files = TestFiles::default().with(FILE, &one).with(signature, sign(&one, &team));
    files.write_config(&config);
    assert!(lock(files.dir(), &[]).status.success());
    let gateway = files.start(&config);
    gateway.write(signature, sign(&one, &vendor));
    let said = gateway.reload().unwrap_err();
    assert!(
        said.contains("v1 newly is signed by `vendor` instead of `team`"),
        "{said}"
    );
    std::fs::remove_file(gateway.dir().join(signature)).unwrap();
    let said = gateway.reload().unwrap_err();
    assert!(said.contains("is signed by nobody instead of `team`"), "{said}");
    assert_eq!(version(&gateway), "v1");
}
