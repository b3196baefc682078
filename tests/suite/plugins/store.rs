//! P20: compiled code is used when this gateway wrote it for this very plugin, and compiled anew when not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gatewright_tests::{TestFiles, TestGateway, guests, http};
use tempfile::TempDir;

use super::setup::{PATIENT, base_with, route};

/// A store that a gateway has filled with two plugins, and that outlives it.
struct Used(TempDir);

impl Used {
    fn new() -> Self {
        let used = Self(tempfile::tempdir().unwrap());
        used.start_and_count(2);
        used
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// The files of the store with this ending, in the order of their names.
    fn entries(&self, ending: &str) -> Vec<PathBuf> {
        let paths = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .collect();
        paths.sort();
        paths
    }

    /// Starts a gateway, which must compile so many plugins and take the rest of two from the store, and stops it.
    fn start_and_count(&self, compiled: usize) {
        let gateway = self.try_start().unwrap();
        for (path, version) in [("/one", "v1"), ("/two", "v2")] {
            assert_eq!(http(gateway.addr("public"), "GET", path, &[], b"").text(), version);
        }
        let loads = |source: &str| gateway.metric(&format!("gatewright_plugin_loads_total{{source=\"{source}\"}}"));
        assert_eq!(
            (loads("compiler"), loads("store")),
            (compiled as f64, (2 - compiled) as f64)
        );
        gateway.stop();
    }

    fn try_start(&self) -> Result<TestGateway, String> {
        let config = [
            base_with(&format!("store = \"{}\"", self.path().display())),
            format!("[plugin.one]\n{PATIENT}\n[plugin.two]\n{PATIENT}\n"),
            route("one", "", "plugin = \"one\""),
            route("two", "", "plugin = \"two\""),
        ];
        let files = TestFiles::default()
            .with("plugins/one.wasm", guests::guest("version-one"))
            .with("plugins/two.wasm", guests::guest("version-two"));
        files.try_start(&config.concat())
    }
}

/// Puts other bytes in the place of a file. A gateway that has just ended may still have it mapped, in this process: cut in
/// place, it would end us all.
fn replace(file: &Path, bytes: &[u8]) {
    let beside = file.with_extension("beside");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, file).unwrap();
}

#[test]
fn p20_what_was_compiled_once_is_taken_from_the_store() {
    let used = Used::new();
    assert_eq!((used.entries("cwasm").len(), used.entries("mac").len()), (2, 2));
    used.start_and_count(0);
}

#[test]
fn p20_an_entry_that_is_damaged_in_any_way_is_compiled_anew() {
    let used = Used::new();
    let damages: [fn(&mut Vec<u8>); 4] = [
        |code| {
            let middle = code.len() / 2;
            code[middle] ^= 1;
        },
        |code| code.truncate(code.len() / 2),
        Vec::clear,
        |code| code.push(0),
    ];
    for damage in damages {
        let entry = used.entries("cwasm").remove(0);
        let mut code = fs::read(&entry).unwrap();
        damage(&mut code);
        replace(&entry, &code);
        used.start_and_count(1);
        // It was written again, as it should be.
        used.start_and_count(0);
    }
    for mac in used.entries("mac") {
        replace(&mac, &[0; 32]);
    }
    used.start_and_count(2);
}

#[test]
fn p20_code_that_somebody_put_there_is_never_run() {
    let used = Used::new();
    let (code, macs) = (used.entries("cwasm"), used.entries("mac"));
    // Right code with a right MAC, of the other plugin.
    let (first, second) = (fs::read(&code[0]).unwrap(), fs::read(&code[1]).unwrap());
    let (first_mac, second_mac) = (fs::read(&macs[0]).unwrap(), fs::read(&macs[1]).unwrap());
    for (path, bytes) in [
        (&code[0], second),
        (&code[1], first),
        (&macs[0], second_mac),
        (&macs[1], first_mac),
    ] {
        replace(path, &bytes);
    }
    used.start_and_count(2);
    // Everything of another gateway's store, but not its key.
    let other = Used::new();
    for path in other.entries("cwasm").into_iter().chain(other.entries("mac")) {
        let name = path.file_name().unwrap();
        replace(
            &used.entries("cwasm")[0].with_file_name(name),
            &fs::read(&path).unwrap(),
        );
    }
    used.start_and_count(2);
}

#[test]
fn p20_without_its_key_the_store_is_empty() {
    let used = Used::new();
    let key = used.entries("cwasm")[0].with_file_name("key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&key).unwrap();
    used.start_and_count(2);
    fs::write(&key, "short").unwrap();
    used.start_and_count(2);
    used.start_and_count(0);
}

#[test]
fn p20_a_store_that_others_may_write_into_is_not_used_at_all() {
    let used = Used::new();
    fs::set_permissions(used.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let message = used.try_start().err().expect("a store for everybody");
    assert!(
        message.contains("others may write into it") && message.contains("chmod 700"),
        "{message}"
    );
}
