//! `cargo xtask freeze`: keeps the plugin interface as it is now, and a component that was built for it in each language,
//! for the tests that hold the gateway to its promise. What is frozen is never written again.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::languages::{LANGUAGES, gatewright, install_tools};
use crate::shell::{cargo, command, root, run};

/// Freezes a version of the plugin interface.
#[derive(Args)]
pub(crate) struct Freeze {
    /// The version's first two numbers, `0.1`. The sources of its components are in `tests/frozen/VERSION/sources`.
    version: String,
}

impl Freeze {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let frozen = root().join("tests/frozen").join(&self.version);
        let (sources, wit) = (frozen.join("sources"), frozen.join("wit"));
        if wit.exists() {
            bail!(
                "{} is frozen, and there are plugins that rely on it; what is to be different belongs into the next version",
                self.version
            );
        }
        ensure!(sources.is_dir(), "{} has no sources of components", sources.display());
        let package = format!("package gatewright:plugin@{}.", self.version);
        let worlds = fs::read_to_string(root().join("wit/worlds.wit"))?;
        ensure!(
            worlds.contains(&package),
            "wit/ is of another version than {}",
            self.version
        );
        install_tools()?;
        run("gateway", &mut cargo(&["build", "--package", "gatewright"]))?;
        let work = root().join("target/frozen");
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        fs::create_dir_all(&work)?;
        for language in LANGUAGES {
            build(language, &sources, &work)?;
        }
        // Only now, when all of them are there.
        for language in LANGUAGES {
            let name = format!("{language}.wasm.zst");
            fs::copy(work.join(&name), frozen.join(&name)).with_context(|| name)?;
        }
        copy(&root().join("wit"), &wit)
    }
}

/// Makes `LANGUAGE.wasm.zst` in `work`: what `plugin new` starts, with the frozen plugin's sources in place of its own.
fn build(language: &str, sources: &Path, work: &Path) -> anyhow::Result<()> {
    let mut new = gatewright()?;
    new.args([
        "plugin",
        "new",
        "--kind",
        "authorizer",
        "--language",
        language,
        language,
    ]);
    run(&format!("start in {language}"), new.current_dir(work))?;
    let folder = work.join(language);
    copy(&sources.join(language), &folder)?;
    fs::copy(sources.join("config.schema.json"), folder.join("config.schema.json"))?;
    let world = folder.join("wit/world.wit");
    // In Rust the code says which kinds a plugin is.
    if world.is_file() {
        let text = fs::read_to_string(&world)?;
        fs::write(&world, text.replace("plugin/authorizer-plugin@", "plugin/everything@"))?;
    }
    let mut build = gatewright()?;
    build.args(["plugin", "build", language, "--output", ".", "--target-dir"]);
    build.arg(root().join("target/guests")).current_dir(work);
    run(&format!("build in {language}"), &mut build)?;
    let mut compress = command("zstd", &["--ultra", "-22", "--quiet", "--rm"]);
    run("zstd", compress.arg(work.join(format!("{language}.wasm"))))
}

/// Copies a folder over another one.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}
