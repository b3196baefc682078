//! `cargo xtask demo`

use std::fs;

use crate::guests;
use crate::shell::{self, cargo, root};

/// Builds the plugins and the gateway, and runs the demo in `target/demo`.
pub(crate) fn run() -> anyhow::Result<()> {
    let directory = root().join("target/demo");
    fs::create_dir_all(&directory)?;
    guests::build_plugins(&directory.join("plugins"))?;
    // The files of the repository are what the README speaks of.
    fs::copy(root().join("config/examples/demo.toml"), directory.join("gateway.toml"))?;
    fs::copy(
        root().join("config/examples/demo-keys.toml"),
        directory.join("demo-keys.toml"),
    )?;
    shell::run(
        "gateway (the first build takes some minutes)",
        &mut cargo(&["build", "--package", "gatewright"]),
    )?;
    // In place of this process, so that whoever ends it ends the gateway.
    let mut demo = cargo(&["run", "--quiet", "--package", "gatewright", "--", "demo", "--directory"]);
    shell::become_another("demo", demo.arg(directory))
}
