//! `cargo xtask release`: a profile-guided build. The gateway is built so that it counts what it does, does what gateways do
//! most (`tests/suite/training.rs`), and is built again with what was counted. Decision 0033 says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::guests;
use crate::shell::{self, cargo, command, root};

/// The training is a test, and can be run as one.
const TRAINING: &str = "training::the_load_that_a_release_is_built_by_is_served";
/// So many rounds count each of the paths that matter some 10,000 times and more.
const ROUNDS: &str = "60";

/// Builds `target/dist/gatewright`.
pub(crate) fn run() -> anyhow::Result<()> {
    let directory = root().join("target/profile-guided");
    let (counts, profile) = (directory.join("counts"), directory.join("gatewright.profdata"));
    let toolchain = Toolchain::prepare()?;
    guests::build_bench_guests()?;

    // From nothing: counts of an earlier program would be taken for this one's, and Cargo does not see that a profile has
    // changed.
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    shell::run(
        "gateway that counts",
        &mut toolchain.build(&directory, &format!("-Cprofile-generate={}", counts.display())),
    )?;

    let mut training = cargo(&["test", "--package", "gatewright-tests", "--test", "suite", "--"]);
    training
        .args(["--exact", "--nocapture", TRAINING])
        .env("GATEWRIGHT_BINARY", toolchain.program(&directory))
        .env("GATEWRIGHT_TRAINING_ROUNDS", ROUNDS);
    shell::run("training", &mut training)?;
    let mut merge = Command::new(&toolchain.profdata);
    shell::run("counts", merge.args(["merge", "--output"]).arg(&profile).arg(&counts))?;

    shell::run(
        "gateway by what was counted",
        &mut toolchain.build(&directory, &format!("-Cprofile-use={}", profile.display())),
    )?;
    // What does not serve the load is not handed out.
    shell::run(
        "the load again, with the result",
        training.env("GATEWRIGHT_TRAINING_ROUNDS", "1"),
    )?;
    let output = root().join("target/dist/gatewright");
    fs::create_dir_all(root().join("target/dist"))?;
    fs::copy(toolchain.program(&directory), &output).with_context(|| format!("cannot write {}", output.display()))?;
    eprintln!("\n{}", output.display());
    Ok(())
}

/// What is needed besides cargo.
struct Toolchain {
    /// The machine that is built on and for.
    host: String,
    /// rustup's `llvm-profdata`: profiles are of one version of LLVM, rustc's.
    profdata: PathBuf,
}

impl Toolchain {
    fn prepare() -> anyhow::Result<Self> {
        let host = output("rustc", &["--print", "host-tuple"])?;
        let libraries = output("rustc", &["--print", "target-libdir"])?;
        let profdata = Path::new(&libraries).with_file_name("bin").join("llvm-profdata");
        if !profdata.is_file() {
            shell::run(
                "rustc's LLVM tools",
                &mut command("rustup", &["component", "add", "llvm-tools"]),
            )?;
        }
        if !profdata.is_file() {
            bail!(
                "there is no {}; `rustup component add llvm-tools` brings it",
                profdata.display()
            );
        }
        Ok(Self { host, profdata })
    }

    /// Builds the gateway with a compiler's flag. Naming the target keeps the flag from build scripts and macros.
    fn build(&self, directory: &Path, flag: &str) -> Command {
        let mut cargo = cargo(&["build", "--release", "--package", "gatewright", "--target", &self.host]);
        cargo.arg("--target-dir").arg(directory).env("RUSTFLAGS", flag);
        cargo
    }

    fn program(&self, directory: &Path) -> PathBuf {
        directory.join(&self.host).join("release/gatewright")
    }
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(program, arguments)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {arguments:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
