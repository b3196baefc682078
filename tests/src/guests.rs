//! Plugins for tests: the guests of `tests/guests`, and the teaching plugins. `cargo xtask test` builds them.

use std::path::{Path, PathBuf};

use crate::gateway::TestFiles;

/// A guest of `tests/guests/examples`, or with the suffix `.wasip2` the same built as a component.
pub fn guest(name: &str) -> Vec<u8> {
    let file = root().join(format!("target/test-guests/{name}.wasm"));
    read(&file, "run `cargo xtask test`")
}

/// A teaching plugin of `plugins/`.
pub fn plugin(name: &str) -> Vec<u8> {
    read(
        &root().join(format!("target/plugins/{name}.wasm")),
        "run `cargo xtask plugins`",
    )
}

/// A guest of `bench/guests`.
pub fn bench_guest(name: &str) -> Vec<u8> {
    let file = root().join(format!("target/bench/{name}.wasm"));
    read(&file, "run `cargo xtask bench --guests`")
}

/// A guest of `tests/guests/wat`.
pub fn wat(name: &str) -> Vec<u8> {
    let file = root().join(format!("tests/guests/wat/{name}.wat"));
    wat::parse_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A component or module from its text.
pub fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"))
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(file: &Path, advice: &str) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}; {advice}", file.display()))
}

impl TestFiles {
    /// Puts guests into the folder `plugins`, under their own names.
    #[must_use]
    pub fn with_guests(self, names: &[&str]) -> Self {
        let put = |files: Self, name: &&str| files.with(&format!("plugins/{name}.wasm"), guest(name));
        names.iter().fold(self, put)
    }
}
