//! What is loaded, what is refused, and why.

use std::fs;
use std::path::Path;
use std::time::Instant;

use gatewright_config::gateway::{InstancePolicy, OnFault, PluginConfig};
use serde_json::json;

use crate::testing::{self, guest, host, load, own_host, stage, try_stage};
use crate::{PluginError, PluginKind};

/// Why these bytes are no plugin.
async fn refused(name: &str, bytes: &[u8]) -> PluginError {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(format!("{name}.wasm"));
    fs::write(&file, bytes).unwrap();
    host().load(name, &file, &PluginConfig::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_plugin_is_what_it_exports() {
    let plugin = load("traps", |_| {}).await.unwrap();
    let summary = plugin.summary();
    let of_requests = [PluginKind::Authorizer, PluginKind::RequestTransform];
    let others = [PluginKind::ResponseTransform, PluginKind::Integration];
    assert_eq!(summary.kinds, [of_requests, others].concat());
    assert_eq!(
        (summary.declared_name.as_str(), summary.version.as_str()),
        ("traps", "1.0.0")
    );
    assert!(summary.reusable && plugin.is_authorizer());
    let echo = load("echo", |_| {}).await.unwrap();
    assert_eq!(echo.summary().kinds, [PluginKind::Integration]);
    assert!(!echo.is_authorizer());
    serde_json::to_string(summary).unwrap();
}

#[tokio::test]
async fn the_same_bytes_with_the_same_limits_are_one_plugin_and_the_same_configuration_one_runtime() {
    let one = load("version-one", |_| {}).await.unwrap();
    let other = load("version-one", |_| {}).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&one, &other));
    let limited = load("version-one", |config| config.concurrency = 7).await.unwrap();
    assert!(!std::sync::Arc::ptr_eq(&one, &limited));

    let stages = [
        stage(&one, |_| {}).await,
        stage(&other, |stage| stage.on_fault = OnFault::Status(503)).await,
    ];
    assert_eq!(one.runtime_stats().runtimes, 1);
    drop(stages);
    assert_eq!(one.runtime_stats().runtimes, 0);
}

#[tokio::test]
async fn compiled_code_is_taken_from_the_store_by_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let file = guest("echo-body");
    let compiled = own_host(directory.path(), 2)
        .load("echo", &file, &PluginConfig::default())
        .await
        .unwrap();
    assert!(compiled.summary().compile_ms.is_some());
    let stored = own_host(directory.path(), 2)
        .load("echo", &file, &PluginConfig::default())
        .await
        .unwrap();
    assert!(stored.summary().compile_ms.is_none());
}

#[tokio::test]
async fn what_is_not_webassembly_is_named_for_what_it_is() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\0as", "ends in its header"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x7fELF\x02", "program or library"),
        (b"  (module)", "WebAssembly text"),
        (b"<!doctype html>", "HTML"),
        (b"hello", "something else"),
        (b"\0asm\x02\0\0\0", "unknown version"),
        (b"\0asm\x01\0\0\0", "exports nothing"),
        (b"\0asm\x0d\0\x01\0", "exports nothing"),
    ] {
        let error = refused("wrong", bytes).await.to_string();
        assert!(error.contains(expected) && error.contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn a_file_cut_anywhere_or_with_a_flipped_bit_never_breaks_the_host() {
    let bytes = fs::read(guest("echo-body")).unwrap();
    for length in (8..bytes.len()).step_by(bytes.len() / 40) {
        refused("cut", &bytes[..length]).await;
    }
    for place in (8..bytes.len()).step_by(bytes.len() / 40) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flipped.wasm");
        fs::write(&file, flipped).unwrap();
        // A flipped bit may well be in a text; then it loads.
        let _ = host().load("flipped", &file, &PluginConfig::default()).await;
    }
}

#[tokio::test]
async fn files_that_are_missing_or_too_large_or_no_files_are_refused() {
    let error = host()
        .load("gone", Path::new("/nowhere/gone.wasm"), &PluginConfig::default())
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Unreadable { .. }), "{error}");
    let error = host()
        .load("folder", Path::new("/tmp"), &PluginConfig::default())
        .await
        .unwrap_err();
    assert!(matches!(error, PluginError::Unreadable { .. }), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let small = crate::HostSettings {
        store: crate::CodeStore::kept(directory.path().join("s")),
        instances: 1,
        file_bytes: 100,
        workers: 1,
        compiler: crate::Compiler::InProcess.into(),
        compile: crate::CompileLimits::default(),
    };
    let small = crate::PluginHost::new(small).unwrap();
    let error = small
        .load("echo", &guest("echo"), &PluginConfig::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`file_bytes`"), "{error}");
}

#[tokio::test]
async fn guests_that_cannot_be_plugins_are_refused_with_the_reason() {
    for (name, expected) in [
        ("newer-interface", "gatewright:plugin/"),
        ("other-world", "a plugin exports"),
        ("unknown-import", "import"),
        ("bad-schema", "JSON Schema"),
        ("panics-in-describe", "unreachable"),
        ("loops-in-describe", "did not end within"),
    ] {
        // The first test that asks for a guest waits until all are built.
        guest(name);
        let began = Instant::now();
        let error = load(name, |_| {}).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
        assert!(began.elapsed().as_secs() < 10, "{name} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_start_function_that_loops_is_never_run_because_it_belongs_to_no_plugin() {
    let text = include_str!("../../../../tests/guests/wat/grows-at-start.wat");
    let error = refused("grows", &wat::parse_str(text).unwrap()).await;
    assert!(matches!(error, PluginError::NotAPlugin { .. }), "{error}");
}

#[tokio::test]
async fn a_configuration_is_refused_in_the_plugins_own_words() {
    let plugin = load("fails-in-configure", |_| {}).await.unwrap();
    let mode = |mode: &str| json!({ "mode": mode });
    let error = try_stage(&plugin, |stage| stage.config = mode("errors"))
        .await
        .err()
        .unwrap();
    let PluginError::Config { errors, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0].at, "/mode");
    for (wrong, expected) in [
        ("loop", "`configure` did not end"),
        ("panic", "unreachable"),
        ("memory", "`memory`"),
        ("rude", "\\u{1b}[2J"),
    ] {
        let error = try_stage(&plugin, |stage| stage.config = mode(wrong))
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected) && error.len() < 10_000, "{wrong}: {error}");
        assert!(!error.contains(char::is_control), "{wrong}");
    }
    stage(&plugin, |stage| stage.config = mode("")).await;
}

#[tokio::test]
async fn uses_that_do_not_fit_the_plugin_are_refused() {
    let all = load("traps", |_| {}).await.unwrap();
    let echo = load("echo", |_| {}).await.unwrap();
    let rewrites = load("rewrites", |_| {}).await.unwrap();
    let error = try_stage(&all, |stage| stage.on_fault = OnFault::Skip)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("must not let requests pass"), "{error}");
    let error = try_stage(&echo, |_| {}).await.err().unwrap().to_string();
    assert!(error.contains("no stage") && error.contains("`integration`"), "{error}");
    let client = || vec![gatewright_config::gateway::IdentitySource::Client];
    let error = try_stage(&rewrites, |stage| stage.identity = client())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("`identity` is for authorizers"), "{error}");
    let cached = |stage: &mut gatewright_config::gateway::PluginStageConfig| {
        stage.identity = client();
        stage.cache = std::time::Duration::from_secs(60);
    };
    let error = try_stage(&all, cached).await.err().unwrap().to_string();
    assert!(
        error.contains("reads all request fields") && error.contains("cache = \"0s\""),
        "{error}"
    );
    let decides = load("decides", |_| {}).await.unwrap();
    let error = try_stage(&decides, cached).await.err().unwrap().to_string();
    assert!(error.contains("add \"header:x-key\" to `identity`"), "{error}");
    let error = load("decides", |config| config.instances = InstancePolicy::Reuse(10))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("one call only"), "{error}");
}

#[tokio::test]
async fn a_guest_that_looks_for_the_machine_sees_nothing_but_the_time() {
    let file = testing::wasi_guest("reads-the-world");
    let plugin = host().load("world", &file, &PluginConfig::default()).await.unwrap();
    assert!(
        plugin.summary().imports.iter().any(|name| name.starts_with("wasi:")),
        "{:?}",
        plugin.summary().imports
    );
    let integration = testing::integration(&plugin, serde_json::Value::Null).await;
    let seen = testing::text(integration.call(&mut testing::exchange()).await.unwrap()).await;
    let mut seen: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&seen).unwrap();
    assert!(seen.remove("unix_seconds").unwrap().is_u64());
    assert!(seen.values().all(serde_json::Value::is_null), "{seen:?}");
}

#[tokio::test]
async fn measuring_tells_what_an_instance_costs() {
    let plugin = load("decides", |_| {}).await.unwrap();
    let cost = crate::measure(&plugin, 200).await.unwrap();
    assert!(!cost.is_zero() && cost.as_millis() < 50, "{cost:?}");
}
