//! Builds plugins and test guests for WebAssembly, with rustup's targets or, where those cannot be had, with Debian's
//! compiler, which builds the standard library from source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell::{command, root, run, succeeds};

const CORE: &str = "wasm32-unknown-unknown";
const WASI: &str = "wasm32-wasip2";
/// Debian's packages for the case that rustup has no targets.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// How guests are compiled on this machine.
pub(crate) enum Toolchain {
    /// rustup's targets.
    Rustup,
    /// Debian's compiler, for core modules only.
    Debian,
}

impl Toolchain {
    /// Finds or installs one.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        if succeeds(&mut command("rustup", &["target", "add", CORE, WASI])) {
            return Ok(Self::Rustup);
        }
        eprintln!("rustup cannot add {CORE}; trying Debian's compiler");
        let apt = ["install", "-y", "--no-install-recommends"]
            .iter()
            .copied()
            .chain(DEBIAN)
            .collect::<Vec<_>>();
        if !succeeds(&mut command("apt-get", &apt)) {
            bail!(
                "no toolchain for {CORE}: neither `rustup target add {CORE}` nor `apt-get {}` worked",
                apt.join(" ")
            );
        }
        Ok(Self::Debian)
    }

    /// `cargo build` for `target` in a guest's folder; none where the toolchain has no such target.
    fn build(&self, directory: &Path, target: &str) -> Option<Command> {
        let mut cargo = match self {
            Self::Rustup => {
                let mut cargo = Command::new("cargo");
                // The settings of this very build are not the guests'.
                cargo.env_remove("CARGO").env_remove("RUSTFLAGS").env_remove("RUSTC");
                cargo
            }
            Self::Debian if target == CORE => {
                let mut cargo = Command::new("/usr/bin/cargo");
                cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22");
                cargo.arg("-Zbuild-std=std,panic_abort");
                cargo
            }
            Self::Debian => return None,
        };
        // In the guest's folder: Cargo reads the settings of the folder that it runs in.
        cargo
            .current_dir(directory)
            .args(["build", "--release", "--locked", "--target", target]);
        cargo.arg("--target-dir").arg(target_dir());
        Some(cargo)
    }
}

/// All guests share one, so that the SDK is compiled once.
fn target_dir() -> PathBuf {
    root().join("target/guests")
}

/// Builds every teaching plugin into `output`.
pub(crate) fn build_plugins(output: &Path) -> anyhow::Result<()> {
    let toolchain = Toolchain::prepare()?;
    fs::create_dir_all(output)?;
    for directory in plugin_directories()? {
        let name = directory
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let Some(mut build) = toolchain.build(&directory, CORE) else {
            continue;
        };
        run(&format!("plugin {name}"), &mut build)?;
        let made = target_dir()
            .join(CORE)
            .join("release")
            .join(format!("{}.wasm", name.replace('-', "_")));
        install(&made, &output.join(format!("{name}.wasm")))?;
    }
    // One of them as a component, too.
    match toolchain.build(&root().join("plugins/quote"), WASI) {
        Some(mut build) => {
            run(&format!("plugin quote for {WASI}"), &mut build)?;
            let made = target_dir().join(WASI).join("release/quote.wasm");
            install(&made, &output.join("quote-wasip2.wasm"))
        }
        None => {
            eprintln!("skipped: plugin quote for {WASI}, which this machine's toolchain cannot build");
            Ok(())
        }
    }
}

/// Builds the benchmarks' guests, which `bench/peers/gatewright.sh` uses too.
pub(crate) fn build_bench_guests() -> anyhow::Result<()> {
    let toolchain = Toolchain::prepare()?;
    let output = root().join("target/bench");
    fs::create_dir_all(&output)?;
    if let Some(mut build) = toolchain.build(&root().join("bench/guests"), CORE) {
        run("the benchmarks' guests", build.arg("--examples"))?;
        let made = target_dir().join(CORE).join("release/examples");
        for guest in ["bearer.wasm", "responds.wasm"] {
            install(&made.join(guest), &output.join(guest))?;
        }
    }
    Ok(())
}

/// Builds the guests that misbehave into `output`, named as their sources.
pub(crate) fn build_test_guests(output: &Path) -> anyhow::Result<()> {
    let toolchain = Toolchain::prepare()?;
    let directory = root().join("tests/guests");
    fs::create_dir_all(output)?;
    for (target, selection) in [(CORE, vec!["--examples"]), (WASI, vec!["--example", "reads-the-world"])] {
        let Some(mut build) = toolchain.build(&directory, target) else {
            eprintln!("skipped: the guests for {target}, which this machine's toolchain cannot build");
            continue;
        };
        run(&format!("test guests for {target}"), build.args(selection))?;
    }
    for source in fs::read_dir(directory.join("examples"))? {
        let name = source?
            .path()
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let file = format!("{}.wasm", name.replace('-', "_"));
        for (target, suffix) in [(CORE, ""), (WASI, ".wasip2")] {
            let made = target_dir().join(target).join("release/examples").join(&file);
            if made.is_file() {
                install(&made, &output.join(format!("{name}{suffix}.wasm")))?;
            }
        }
    }
    Ok(())
}

/// Builds the servers for `wasi:http` into `output`, where the toolchain can.
pub(crate) fn build_standard_guests(output: &Path) -> anyhow::Result<()> {
    let toolchain = Toolchain::prepare()?;
    fs::create_dir_all(output)?;
    let Some(mut build) = toolchain.build(&root().join("tests/standard-guests"), WASI) else {
        eprintln!("skipped: the standard guests, which this machine's toolchain cannot build");
        return Ok(());
    };
    run("standard guests", build.args(["--bins", "--examples"]))?;
    let made = target_dir().join(WASI).join("release");
    install(&made.join("serves.wasm"), &output.join("serves.wasm"))?;
    for (example, name) in [
        ("misserves", "misserves"),
        ("serves_p3", "serves-p3"),
        ("misserves_p3", "misserves-p3"),
        ("serves_both", "serves-both"),
    ] {
        let made = made.join(format!("examples/{example}.wasm"));
        install(&made, &output.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// The folders of the teaching plugins.
pub(crate) fn plugin_directories() -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join("plugins")).context("cannot read plugins/")?;
    let mut directories: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect();
    directories.sort();
    Ok(directories)
}

/// Copies a file aside and renames it, so that a gateway that watches the folder never sees half of it.
fn install(made: &Path, place: &Path) -> anyhow::Result<()> {
    let aside = place.with_extension("wasm.new");
    fs::copy(made, &aside).with_context(|| format!("cannot copy {}", made.display()))?;
    fs::rename(&aside, place).with_context(|| format!("cannot write {}", place.display()))
}
