//! The compiled-code store: what is kept, and what is never used.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn component(engine: &Engine) -> Code {
    Code::of(&engine.precompile_component(b"\0asm\x0d\0\x01\0").unwrap()).unwrap()
}

fn digest() -> Digest {
    Digest::of(b"bytes")
}

fn store(directory: &Path) -> Artifacts {
    Artifacts::open(&CodeStore::kept(directory.join("store"))).unwrap()
}

fn directory_of(store: &Artifacts) -> &Directory {
    store.directory.as_ref().unwrap()
}

fn path(store: &Artifacts) -> &Path {
    &directory_of(store).path
}

fn entries(store: &Artifacts, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path(store))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| path.extension().is_some_and(|known| known == extension));
    found
}

#[test]
fn what_was_kept_is_found_again_also_by_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::default();
    assert!(store(directory.path()).find(&engine, &digest()).is_none());
    store(directory.path()).keep(&engine, &digest(), component(&engine));
    assert!(store(directory.path()).find(&engine, &digest()).is_some());
}

#[test]
fn an_entry_with_one_flipped_bit_is_a_miss_and_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, store) = (Engine::default(), store(directory.path()));
    store.keep(&engine, &digest(), component(&engine));
    let path = entries(&store, CODE).remove(0);
    let mut code = fs::read(&path).unwrap();
    *code.last_mut().unwrap() ^= 1;
    fs::write(&path, code).unwrap();
    assert!(store.find(&engine, &digest()).is_none());
    store.keep(&engine, &digest(), component(&engine));
    assert!(store.find(&engine, &digest()).is_some());
}

#[test]
fn an_entry_without_its_mac_or_under_another_name_is_a_miss() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, store) = (Engine::default(), store(directory.path()));
    store.keep(&engine, &digest(), component(&engine));
    let (code, mac) = (entries(&store, CODE).remove(0), entries(&store, MAC).remove(0));
    let other = Digest::of(b"others");
    let name = entry_name(&engine, &other);
    fs::copy(&code, directory_of(&store).path(&name, CODE)).unwrap();
    fs::copy(&mac, directory_of(&store).path(&name, MAC)).unwrap();
    assert!(store.find(&engine, &other).is_none());
    fs::remove_file(mac).unwrap();
    assert!(store.find(&engine, &digest()).is_none());
}

#[test]
fn an_entry_for_other_engine_settings_is_a_miss() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let engine = Engine::default();
    store.keep(&engine, &digest(), component(&engine));
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    assert!(store.find(&Engine::new(&config).unwrap(), &digest()).is_none());
}

#[test]
fn a_directory_that_others_can_write_or_a_link_to_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
    let error = Artifacts::open(&CodeStore::kept(path.clone()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("chmod 700"), "{error}");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    let error = Artifacts::open(&CodeStore::kept(link)).err().unwrap().to_string();
    assert!(error.contains("symbolic link"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_means_no_store_not_an_error() {
    let store = CodeStore::kept("/proc/gatewright/store".into());
    assert!(Artifacts::open(&store).unwrap().directory.is_none());
}

#[test]
fn key_and_entries_are_for_the_gateway_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, store) = (Engine::default(), store(directory.path()));
    store.keep(&engine, &digest(), component(&engine));
    assert_eq!(fs::metadata(path(&store)).unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(path(&store)).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_least_recently_used_entries_are_cleaned() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, store) = (Engine::default(), store(directory.path()));
    for index in 0..=KEPT {
        let path = directory_of(&store).path(&format!("{index:064}"), CODE);
        fs::write(&path, b"").unwrap();
        let age = std::time::Duration::from_secs(1000 - index as u64);
        File::open(&path)
            .unwrap()
            .set_modified(SystemTime::now() - age)
            .unwrap();
    }
    let abandoned = directory_of(&store).path(&"f".repeat(64), "tmp-1-0");
    fs::write(&abandoned, b"half").unwrap();
    let long_ago = SystemTime::now() - 2 * ABANDONED;
    File::open(&abandoned).unwrap().set_modified(long_ago).unwrap();
    store.keep(&engine, &digest(), component(&engine));
    assert!(!abandoned.exists());
    assert_eq!(entries(&store, CODE).len(), KEPT);
    assert!(store.find(&engine, &digest()).is_some());
}

#[test]
fn a_store_that_is_only_read_finds_what_is_there_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::default();
    let path = directory.path().join("store");
    let read = || Artifacts::open(&CodeStore::read(path.clone())).unwrap();
    read().keep(&engine, &digest(), component(&engine));
    assert!(!path.exists(), "it is not made");

    store(directory.path()).keep(&engine, &digest(), component(&engine));
    let seen = || -> Vec<_> {
        let mut entries: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(|entry| entry.path());
        let looks = |entry: &fs::DirEntry| (entry.path(), entry.metadata().unwrap().modified().unwrap());
        entries.iter().map(looks).collect()
    };
    let before = seen();
    assert!(read().find(&engine, &digest()).is_some());
    read().keep(&engine, &Digest::of(b"others"), component(&engine));
    assert_eq!(seen(), before);
}

#[test]
fn where_there_is_no_directory_hosts_that_share_a_store_compile_once() {
    let engine = Engine::default();
    let settings = CodeStore::default();
    let (one, other) = (
        Artifacts::open(&settings).unwrap(),
        Artifacts::open(&settings.clone()).unwrap(),
    );
    one.keep(&engine, &digest(), component(&engine));
    assert!(other.find(&engine, &digest()).is_some());
    for number in 0..2 * REMEMBERED {
        one.keep(
            &engine,
            &Digest::of(&[u8::try_from(number).unwrap()]),
            component(&engine),
        );
    }
    assert_eq!(one.memory().len(), REMEMBERED);
    assert!(other.find(&engine, &digest()).is_none(), "the oldest has made room");
}
