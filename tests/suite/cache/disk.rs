//! The second place for what is kept: what is there after a restart, and what a disk can do to traffic (nothing).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatewright::process::{self, Thoroughness};
use gatewright_tests::{Origin, TestFiles, TestGateway, eventually, http};
use gatewright_wasm::Compiler;
use serde_json::json;

use super::{configuration, counting, get, status};

const FIELDS: &[(&str, &str)] = &[("cache-control", "max-age=600"), ("surrogate-key", "users")];

/// A gateway with little memory, whose responses are in this folder too.
fn gateway(origin: &Origin, folder: &Path, memory: &str) -> TestGateway {
    TestGateway::start(&text(origin, folder, memory))
}

fn text(origin: &Origin, folder: &Path, memory: &str) -> String {
    format!(
        "[response_cache]\nbytes = \"{memory}\"\ndisk = {{ directory = \"{}\", bytes = \"1MiB\" }}\n{}",
        folder.display(),
        configuration(origin, "status = true, object = \"100KiB\"")
    )
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap().len() == 49).collect()
}

fn written(gateway: &TestGateway, count: f64) {
    let done = "gatewright_cache_disk_writes_total{result=\"done\"}";
    eventually("it is written", || (gateway.metric(done) >= count).then_some(()));
}

fn body(gateway: &TestGateway, path: &str) -> String {
    get(gateway, path, &[]).text()
}

/// What a gateway that is started in this folder answers, once it has looked through it.
fn again(origin: &Origin, folder: &Path) -> TestGateway {
    let gateway = gateway(origin, folder, "64MiB");
    let known = files(folder).len() as f64;
    eventually("it knows its files", || {
        (gateway.metric("gatewright_cache_disk_files") >= known).then_some(())
    });
    gateway
}

/// What a gateway has answered for `/a`, and left in this folder alone.
fn left_behind(origin: &Origin, folder: &Path) -> String {
    let gateway = gateway(origin, folder, "64MiB");
    let answer = body(&gateway, "/a");
    written(&gateway, 1.0);
    drop(gateway.stop());
    answer
}

#[test]
fn what_is_kept_is_there_after_a_restart_and_ages_meanwhile() {
    let origin = counting(&[
        ("cache-control", "max-age=600"),
        ("vary", "accept-language"),
        ("x-a", "\u{e9}"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let first = gateway(&origin, folder.path(), "64MiB");
    assert_eq!(get(&first, "/a", &[("accept-language", "de")]).text(), "answer 1");
    assert_eq!(get(&first, "/a", &[("accept-language", "en")]).text(), "answer 2");
    written(&first, 2.0);
    drop(first.stop());
    std::thread::sleep(Duration::from_millis(1100));
    let second = again(&origin, folder.path());
    let german = get(&second, "/a", &[("accept-language", "de")]);
    assert_eq!(german.text(), "answer 1");
    assert!(status(&german).contains("hit"), "{german:?}");
    let age: u64 = german.header("age").unwrap().parse().unwrap();
    assert!((1..60).contains(&age), "{age}");
    assert_eq!(get(&second, "/a", &[("accept-language", "en")]).text(), "answer 2");
    assert_eq!(get(&second, "/a", &[("accept-language", "fr")]).text(), "answer 3");
    // Both from one file; a variant that is not there makes it be looked at once more.
    assert!(second.metric("gatewright_cache_disk_reads_total{result=\"hit\"}") <= 2.0);
}

#[test]
fn what_had_to_make_room_in_memory_is_read_again_and_the_disk_has_its_own_bound() {
    let origin = Origin::start(|_| async {
        let response = http::Response::builder().header("cache-control", "max-age=600");
        response.body(gatewright_tests::full("x".repeat(100_000))).unwrap()
    });
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&origin, folder.path(), "300KiB");
    for number in 0..8 {
        get(&gateway, &format!("/{number}"), &[]);
        written(&gateway, f64::from(number + 1));
    }
    assert_eq!(get(&gateway, "/0", &[]).text().len(), 100_000);
    assert_eq!(origin.hits(), 8);
    for number in 8..16 {
        get(&gateway, &format!("/{number}"), &[]);
        written(&gateway, f64::from(number + 1));
    }
    eventually("the oldest make room", || {
        (files(folder.path()).len() <= 10 && gateway.metric("gatewright_cache_disk_bytes") <= 1048576.0).then_some(())
    });
    assert_eq!(get(&gateway, "/0", &[]).text().len(), 100_000);
    assert_eq!(origin.hits(), 16, "it was needed since, and others were not");
    get(&gateway, "/1", &[]);
    assert_eq!(origin.hits(), 17);
}

#[test]
fn s10_a_file_that_is_damaged_or_of_another_version_is_none() {
    let origin = counting(FIELDS);
    let folder = tempfile::tempdir().unwrap();
    let first = gateway(&origin, folder.path(), "64MiB");
    for path in ["/a", "/b", "/c", "/d"] {
        body(&first, path);
    }
    written(&first, 4.0);
    drop(first.stop());
    let files = files(folder.path());
    assert_eq!(files.len(), 4);
    for (number, file) in files.iter().enumerate() {
        let mut bytes = fs::read(file).unwrap();
        match number {
            0 => bytes[7] = b'2',
            1 => bytes.truncate(bytes.len() - 1),
            2 => *bytes.last_mut().unwrap() ^= 1,
            _ => bytes.clear(),
        }
        fs::write(file, bytes).unwrap();
    }
    fs::write(folder.path().join("something else"), "x").unwrap();
    let second = again(&origin, folder.path());
    let answers: Vec<_> = ["/a", "/b", "/c", "/d"].map(|path| body(&second, path)).into();
    assert_eq!(answers, ["answer 5", "answer 6", "answer 7", "answer 8"]);
    assert_eq!(
        second.metric("gatewright_cache_disk_reads_total{result=\"failed\"}"),
        4.0
    );
    written(&second, 4.0);
    drop(second.stop());
    assert_eq!(body(&again(&origin, folder.path()), "/a"), "answer 5");
}

#[test]
fn s10_a_disk_that_cannot_be_written_or_read_is_no_reason_to_stop() {
    let origin = counting(FIELDS);
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("responses");
    let gateway = gateway(&origin, &folder, "64MiB");
    body(&gateway, "/a");
    written(&gateway, 1.0);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(body(&gateway, "/b"), "answer 2");
    let failed = "gatewright_cache_disk_writes_total{result=\"failed\"}";
    eventually("it cannot be written", || (gateway.metric(failed) >= 1.0).then_some(()));
    assert_eq!(
        (body(&gateway, "/a"), body(&gateway, "/b")),
        ("answer 1".to_owned(), "answer 2".to_owned())
    );
    assert_eq!(body(&gateway, "/c"), "answer 3");
    assert!(gateway.metric("gatewright_cache_disk_writes_total{result=\"dropped\"}") >= 0.0);
}

#[test]
fn what_is_purged_or_changed_is_gone_from_the_disk_too() {
    let origin = counting(FIELDS);
    for (number, purge) in [
        json!({ "url": "/a" }),
        json!({ "prefix": "/" }),
        json!({ "tag": "users" }),
        json!({ "route": "all" }),
        json!({ "all": true }),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let before = left_behind(&origin, folder.path());
        // Memory has nothing of it: only the disk does.
        let second = again(&origin, folder.path());
        let purged = http(
            second.admin(),
            "POST",
            "/cache/purge",
            &[],
            purge.to_string().as_bytes(),
        );
        assert_eq!(purged.status, 200, "{purged:?}");
        assert_ne!(body(&second, "/a"), before, "{number}: {purge}");
    }
    let folder = tempfile::tempdir().unwrap();
    let before = left_behind(&origin, folder.path());
    let second = again(&origin, folder.path());
    assert_eq!(http(second.addr("public"), "POST", "/a", &[], b"").status, 200);
    eventually("its file is gone", || files(folder.path()).is_empty().then_some(()));
    assert_ne!(body(&second, "/a"), before);
}

#[test]
fn a_purge_that_was_not_finished_is_finished_at_the_next_start() {
    let origin = counting(FIELDS);
    let folder = tempfile::tempdir().unwrap();
    let before = left_behind(&origin, folder.path());
    for purges in [
        "{\"at\":99999999999999,\"purge\":{\"tag\":\"users\"}}\n",
        "what is this?",
    ] {
        let file = &files(folder.path())[0];
        let bytes = fs::read(file).unwrap();
        fs::write(folder.path().join("purges"), purges).unwrap();
        let second = gateway(&origin, folder.path(), "64MiB");
        eventually("its file is gone", || files(folder.path()).is_empty().then_some(()));
        drop(second.stop());
        fs::write(file, bytes).unwrap();
    }
    assert_ne!(before, "");
}

#[test]
fn two_gateways_do_not_share_a_folder() {
    let origin = counting(FIELDS);
    let folder = tempfile::tempdir().unwrap();
    let first = gateway(&origin, folder.path(), "64MiB");
    let second = TestFiles::default().try_start(&text(&origin, folder.path(), "64MiB"));
    let error = second.err().expect("it does not start");
    assert!(error.contains("another gateway uses it"), "{error}");
    assert!(
        error.contains("gateway.toml:3:") && error.contains("response_cache.disk.directory"),
        "{error}"
    );
    let file = folder.path().join("lock");
    let wrong = TestFiles::default().try_start(&text(&origin, &file, "64MiB"));
    let error = wrong.err().expect("it does not start");
    assert!(
        error.contains("gateway.toml:3:") && error.contains("cannot use the folder"),
        "{error}"
    );
    // Who only looks at the configuration leaves the folder alone.
    let config = first.dir().join("gateway.toml");
    let checked = process::check(&config, Thoroughness::default(), &Compiler::InProcess.into());
    assert!(checked.is_ok());
}

#[test]
fn what_is_for_whoever_has_a_certain_credential_is_not_on_disk() {
    let origin = counting(&[("cache-control", "public, max-age=600"), ("vary", "authorization")]);
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&origin, folder.path(), "64MiB");
    get(&gateway, "/a", &[("authorization", "Bearer secret")]);
    assert_eq!(
        http(
            gateway.addr("public"),
            "GET",
            "/a",
            &[("authorization", "Bearer secret")],
            b""
        )
        .text(),
        "answer 1"
    );
    let other = http(gateway.addr("public"), "GET", "/b?x", &[], b"");
    assert_eq!(other.status, 200);
    drop(gateway.stop());
    for file in fs::read_dir(folder.path()).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("Bearer secret"));
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_purge_that_comes_while_something_is_written_is_for_that_too() {
    let origin = counting(FIELDS);
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&origin, folder.path(), "64MiB");
    for round in 0..30 {
        let before = body(&gateway, "/a");
        let purge = if round % 2 == 0 {
            json!({ "tag": "users" })
        } else {
            json!({ "all": true })
        };
        let purged = http(
            gateway.admin(),
            "POST",
            "/cache/purge",
            &[],
            purge.to_string().as_bytes(),
        );
        assert_eq!(purged.status, 200);
        assert_ne!(body(&gateway, "/a"), before, "{round}");
        assert_eq!(http(gateway.addr("public"), "POST", "/a", &[], b"").status, 200);
        assert_ne!(body(&gateway, "/a"), before, "{round}");
    }
    // Whatever was written last is what another process finds.
    let last = body(&gateway, "/a");
    drop(gateway.stop());
    let again = again(&origin, folder.path());
    let found = body(&again, "/a");
    let number = |text: &str| text.trim_start_matches("answer ").parse::<u32>().unwrap();
    assert!(number(&found) >= number(&last), "{found} after {last}");
}
