//! P18: a plugin's file as it really changes: copied in pieces, cut off, damaged, linked anew.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use gatewright_tests::{TestFiles, TestGateway, eventually, guests, http};

use super::setup::{PATIENT, base, route};

const FILE: &str = "plugins/changing.wasm";

fn config() -> String {
    [
        base(),
        format!("[plugin.changing]\n{PATIENT}\n"),
        route("all", "", "plugin = \"changing\""),
    ]
    .concat()
}

/// A gateway that answers with the version of its plugin, `v1` to begin with.
fn start() -> TestGateway {
    TestFiles::default()
        .with(FILE, guests::guest("version-one"))
        .start(&config())
}

fn version(gateway: &TestGateway) -> String {
    let answer = http(gateway.addr("public"), "GET", "/all", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

/// Waits until the gateway has taken over version two by itself.
fn assert_becomes_version_two(gateway: &TestGateway) {
    eventually("version two serves", || (version(gateway) == "v2").then_some(()));
}

#[test]
fn p18_a_file_that_is_cut_off_anywhere_is_refused_and_the_last_version_serves() {
    let gateway = start();
    let whole = guests::guest("version-two");
    let lengths = (0..8)
        .chain((8..whole.len()).step_by(whole.len() / 60))
        .chain([whole.len() - 1]);
    for length in lengths {
        gateway.write(FILE, &whole[..length]);
        let message = gateway.reload().expect_err("a file that is cut off");
        assert!(message.contains("plugin `changing`"), "{length}: {message}");
        assert_eq!(version(&gateway), "v1", "{length}");
    }
    gateway.write(FILE, whole);
    assert_becomes_version_two(&gateway);
}

#[test]
fn p18_a_file_with_a_byte_flipped_never_harms_the_gateway() {
    let gateway = start();
    let whole = guests::guest("version-two");
    let mut refused = 0;
    for place in (0..8).chain((8..whole.len()).step_by(whole.len() / 50)) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        gateway.write(FILE, damaged);
        // Not every byte matters, and what is still a plugin is one: other bytes, another plugin.
        match gateway.reload() {
            Err(message) => {
                assert!(
                    message.contains("plugin `changing`") && message.len() < 4_000,
                    "{place}: {message}"
                );
                refused += 1;
            }
            Ok(_) => {
                let answer = http(gateway.addr("public"), "GET", "/all", &[], b"");
                assert!(answer.status == 200 || answer.error().is_some(), "{place}: {answer:?}");
            }
        }
        assert_eq!(http(gateway.addr("public"), "GET", "/neighbour", &[], b"").status, 200);
    }
    assert!(refused >= 8, "{refused}");
    gateway.write(FILE, whole);
    assert_becomes_version_two(&gateway);
}

#[test]
fn p18_a_file_that_is_written_in_place_in_two_halves_is_taken_over_when_it_is_complete() {
    let gateway = start();
    let (refused, whole) = (
        gateway.metric("gatewright_reloads_total{result=\"refused\"}"),
        guests::guest("version-two"),
    );
    let (first, second) = whole.split_at(whole.len() / 2);
    let mut file = fs::File::create(gateway.dir().join(FILE)).unwrap();
    file.write_all(first).unwrap();
    file.sync_all().unwrap();
    // The copy stalls for longer than a file must rest to be taken for complete.
    eventually("the first half is refused", || {
        (gateway.metric("gatewright_reloads_total{result=\"refused\"}") > refused).then_some(())
    });
    assert_eq!(version(&gateway), "v1");
    file.write_all(second).unwrap();
    drop(file);
    assert_becomes_version_two(&gateway);
}

#[test]
fn p18_a_file_that_never_rests_is_not_read_half_and_served() {
    let gateway = start();
    let whole = guests::guest("version-two");
    let mut file = fs::File::create(gateway.dir().join(FILE)).unwrap();
    let began = Instant::now();
    // A slow copy: a piece every few milliseconds.
    for piece in whole.chunks(whole.len() / 100) {
        file.write_all(piece).unwrap();
        assert_eq!(version(&gateway), "v1");
        std::thread::sleep(Duration::from_millis(8));
    }
    drop(file);
    assert_becomes_version_two(&gateway);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn p18_a_link_that_is_swapped_is_a_new_file_and_one_that_leads_nowhere_is_none() {
    let files = TestFiles::default()
        .with("releases/one/plugin.wasm", guests::guest("version-one"))
        .with("releases/two/plugin.wasm", guests::guest("version-two"))
        .with("plugins/.keep", "");
    let (place, aside) = (files.dir().join(FILE), files.dir().join("plugins/aside"));
    symlink("../releases/one/plugin.wasm", &place).unwrap();
    let gateway = files.start(&config());
    assert_eq!(version(&gateway), "v1");
    let swap = |target: &str| {
        symlink(target, &aside).unwrap();
        fs::rename(&aside, &place).unwrap();
    };
    for nowhere in [
        "../releases/three/plugin.wasm",
        "changing.wasm",
        "..",
        "/dev/zero",
        "/dev/null",
    ] {
        swap(nowhere);
        let message = gateway.reload().expect_err(nowhere);
        assert!(message.contains("changing"), "{nowhere}: {message}");
        assert_eq!(version(&gateway), "v1");
    }
    swap("../releases/two/plugin.wasm");
    assert_becomes_version_two(&gateway);
}

#[test]
fn p18_a_file_that_is_away_for_a_moment_is_no_loss() {
    let gateway = start();
    fs::remove_file(gateway.dir().join(FILE)).unwrap();
    let message = gateway.reload().unwrap_err();
    assert!(
        message.contains("changing.wasm") && message.contains("route `all`"),
        "{message}"
    );
    assert_eq!(version(&gateway), "v1");
    gateway.write(FILE, guests::guest("version-two"));
    assert_becomes_version_two(&gateway);
}

#[test]
fn p18_files_beside_plugins_are_nobodys_business() {
    let gateway = start();
    let loads = gateway.metric("gatewright_plugin_loads_total");
    for name in [
        "plugins/changing.wasm.new",
        "plugins/.changing.wasm.swp",
        "plugins/other.wasm",
        "plugins/README",
    ] {
        gateway.write(name, "not a plugin");
    }
    gateway.reload().unwrap();
    assert_eq!(version(&gateway), "v1");
    assert_eq!(gateway.metric("gatewright_plugin_loads_total"), loads);
}
