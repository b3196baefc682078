//! Which plugin is meant, and which cases.

use std::path::{Path, PathBuf};

use gatewright_config::cases::{CaseFile, load_cases};
use gatewright_wasm::CodeStore;

use crate::trial::proof::tests_file;

/// The largest file that is read; larger than what a gateway reads unless it is told to.
pub(super) const FILE_BYTES: u64 = 256 << 20;

/// Where commands keep compiled code for the next run: in the user's folder of caches. Without one they keep it nowhere.
pub(super) fn code_store() -> CodeStore {
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    caches.map_or_else(CodeStore::default, |caches| {
        CodeStore::kept(caches.join("gatewright/compiled"))
    })
}

/// The plugin's file.
pub(super) fn wasm(plugin: &Path) -> Result<PathBuf, String> {
    if !plugin.is_dir() {
        return Ok(plugin.to_owned());
    }
    let mut found = files_in(plugin, "wasm")?;
    match (found.pop(), found.len()) {
        (Some(file), 0) => Ok(file),
        (None, _) => Err(format!(
            "there is no .wasm file in {0}; `gatewright plugin build {0}` makes one",
            plugin.display()
        )),
        (Some(_), more) => Err(format!(
            "there are {} .wasm files in {}; name one of them",
            more + 1,
            plugin.display()
        )),
    }
}

/// Reads all files of cases, before anything runs: a mistake in the last one must not cost the run of the others.
pub(super) fn load(files: Vec<PathBuf>) -> Result<Vec<(PathBuf, CaseFile)>, String> {
    let mut loaded = Vec::with_capacity(files.len());
    let mut mistakes = Vec::new();
    for file in files {
        match load_cases(&file) {
            Ok(cases) => loaded.push((file, cases)),
            Err(errors) => mistakes.push(errors.to_string()),
        }
    }
    match mistakes.is_empty() {
        true => Ok(loaded),
        false => Err(mistakes.join("\n")),
    }
}

/// Whether there are cases where nobody has to say so.
pub(super) fn has_cases(wasm: &Path) -> bool {
    tests_file(wasm).is_file() || folder(wasm).is_dir()
}

fn folder(wasm: &Path) -> PathBuf {
    wasm.parent().unwrap_or(Path::new("")).join("tests")
}

/// Files of cases: those that are named, or the one of the plugin's name beside it, or those in `tests` beside it.
pub(super) fn case_files(wasm: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut beside = tests_file(wasm);
    if !beside.is_file() {
        beside = folder(wasm);
    }
    if named.is_empty() && !has_cases(wasm) {
        return Err(format!(
            "there is neither a file {} nor a folder {}; name files of cases with --cases",
            tests_file(wasm).display(),
            beside.display()
        ));
    }
    let mut files = Vec::new();
    for path in if named.is_empty() {
        std::slice::from_ref(&beside)
    } else {
        named
    } {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = files_in(path, "toml")?;
        if found.is_empty() {
            return Err(format!("there is no .toml file in {}", path.display()));
        }
        files.extend(found);
    }
    Ok(files)
}

fn files_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| {
        format!(
            "cannot read {}: {}",
            folder.display(),
            gatewright_config::reason(&error)
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|known| known == ending) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
