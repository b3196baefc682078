//! The version of a plugin that served before is one command away.

use std::path::Path;
use std::process::{Command, Output};

use gatewright_tests::process::binary;
use gatewright_tests::{TestFiles, TestProcess, eventually, guests, http};
use gatewright_wasm::signature::{SecretKey, sign};

use super::setup::{PATIENT, base, base_with, route};

const FILE: &str = "plugins/changing.wasm";
const SIGNATURE: &str = "plugins/changing.wasm.sig";

fn plugin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.current_dir(folder).arg("plugin").args(arguments);
    command.output().expect("the binary can be run")
}

fn config(base: &str) -> String {
    format!(
        "{base}[plugin.changing]\n{PATIENT}\n{}",
        route("version", "", "plugin = \"changing\"")
    )
}

#[test]
fn one_command_puts_the_version_before_in_place_with_its_signature_and_approval() {
    let team = SecretKey::generate().unwrap();
    let plugins = format!(
        "lock = \"required\"\nrequire_signed = true\npublishers = {{ team = [\"{}\"] }}",
        team.public()
    );
    let config = config(&base_with(&plugins));
    let [one, two] = ["version-one", "version-two"].map(guests::guest);
    let files = TestFiles::default().with(FILE, &one).with(SIGNATURE, sign(&one, &team));
    files.write_config(&config);
    let lock = |folder: &Path| assert!(plugin(folder, &["lock", "gateway.toml"]).status.success());
    lock(files.dir());
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    let version = || http(process.addr("public"), "GET", "/version", &[], b"").text();
    let serves = |wanted: &str| eventually("it serves", || (version() == wanted).then_some(()));
    serves("v1");

    std::fs::write(process.dir().join(SIGNATURE), sign(&two, &team)).unwrap();
    std::fs::write(process.dir().join(FILE), &two).unwrap();
    lock(process.dir());
    serves("v2");

    for (back_to, other) in [("v1", "v2"), ("v2", "v1")] {
        let output = plugin(process.dir(), &["rollback", "changing", "gateway.toml"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        assert!(said.contains(&format!("changing {back_to} (was {other})")), "{said}");
        serves(back_to);
        // The one that serves is the last in the history, before the next command is given.
        eventually("it is kept", || {
            let listed = plugin(process.dir(), &["rollback", "changing", "gateway.toml", "--list"]);
            let listed = String::from_utf8(listed.stdout).unwrap();
            let lines: Vec<_> = listed.lines().collect();
            let dated = |line: &&str| {
                line.split_whitespace()
                    .nth(3)
                    .is_some_and(|date| date.starts_with("20") && date.ends_with('Z'))
            };
            let dated = lines
                .iter()
                .all(|line| line.contains("  serving since ") && dated(line));
            (lines.len() == 2 && lines[0].ends_with(" (in place)") && dated).then_some(())
        });
    }
}

#[test]
fn a_version_that_was_refused_is_followed_by_the_one_that_serves() {
    let config = config(&base());
    let gateway = TestFiles::default()
        .with(FILE, guests::guest("version-one"))
        .start(&config);
    gateway.write(FILE, "no plugin");
    gateway.reload().unwrap_err();
    let output = plugin(gateway.dir(), &["rollback", "changing", "gateway.toml"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        std::fs::read(gateway.dir().join(FILE)).unwrap(),
        guests::guest("version-one")
    );
    gateway.reload().unwrap();

    for (arguments, words) in [
        (
            vec!["rollback", "changing", "gateway.toml"],
            "no other version of `changing` is kept",
        ),
        (vec!["rollback", "other", "gateway.toml"], "uses no plugin `other`"),
        (
            vec!["rollback", "changing", "gateway.toml", "--to", "xyz"],
            "none of the 1 versions of `changing` that are kept begins with `xyz`; `--list` shows them",
        ),
    ] {
        let output = plugin(gateway.dir(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
}
