//! What becomes of plugins that were built for another version of the interface than the gateway's own.

use gatewright_tests::{TestFiles, TestGateway, guests, http};

use super::super::setup::{PATIENT, base, route};

/// A gateway with a plugin in which one text is in place of another, as if it had been built so.
fn start(from: &str, to: &str) -> Result<TestGateway, String> {
    let guest = guests::guest("uses-services");
    let config = [
        base(),
        format!("[plugin.changed]\n{PATIENT}\n"),
        route("all", "", "plugin = \"changed\""),
    ];
    let files = TestFiles::default().with("plugins/changed.wasm", replaced(&guest, from.as_bytes(), to.as_bytes()));
    files.try_start(&config.concat())
}

/// Of the same length: names in components are preceded by theirs.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn a_plugin_of_a_later_patch_version_runs_if_it_uses_what_is_there() {
    let gateway = start("0.1.0", "0.1.9").unwrap();
    let answer = http(gateway.addr("public"), "POST", "/all", &[], b"{\"call\":\"time\"}");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["ok"].is_u64(), "{answer:?}");
}

#[test]
fn a_plugin_that_imports_what_only_a_later_gateway_has_is_refused_with_both_versions() {
    let Err(refused) = start("counters", "lanterns") else {
        panic!("a service that is not there is imported");
    };
    for words in [
        "`changed`",
        "gatewright:plugin/lanterns@0.1.0",
        "this gateway speaks `gatewright:plugin@0.1.0`",
        "a later one",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

#[test]
fn a_plugin_of_another_version_is_refused_with_both_versions() {
    let Err(refused) = start("0.1.0", "0.2.0") else {
        panic!("another version is accepted");
    };
    for words in [
        "`changed`",
        "@0.2.0`",
        "this gateway speaks `gatewright:plugin/",
        "@0.1.x`",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
}
