//! Plugins in every language: the teaching plugins in a gateway, and what `gatewright plugin new` starts.

mod last_words;
mod library;
mod refusals;
mod services;
mod started;
mod teaching;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatewright_tests::guests::root;
use gatewright_tests::process::binary;

/// The gateway's program, with the tools that `cargo xtask test` installs, and without a registry.
fn gatewright(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    with_tools(&mut command).current_dir(folder);
    command
}

fn with_tools(command: &mut Command) -> &mut Command {
    let tools = root().join("target/tools");
    let program = binary().parent().unwrap().to_owned();
    let places: [PathBuf; 3] = [program, tools.join(".venv/bin"), tools.join("node_modules/.bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(places.into_iter().chain(std::env::split_paths(&path))).unwrap();
    command
        .env("PATH", path)
        .env("GOCACHE", tools.join("go-cache"))
        .env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig-cache"))
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", tools.join("wheels"))
}

fn succeeded(output: &Output) -> String {
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    said.into_owned()
}
