//! `cargo xtask test`: what CI runs.

use std::process::Command;

use clap::Args;

use crate::shell::{cargo, command, root, run, succeeds};
use crate::{guests, languages, servers, suites};

/// Installs what the tests need, and runs all of them.
#[derive(Args)]
pub(crate) struct Test {
    /// Only the tests whose name has this in it, without format, lints and dependencies.
    filter: Option<String>,
}

impl Test {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        install_lints();
        servers::install()?;
        suites::install()?;
        guests::build_plugins(&root().join("target/plugins"))?;
        guests::build_test_guests(&root().join("target/test-guests"))?;
        guests::build_standard_guests(&root().join("target/test-guests"))?;
        guests::build_bench_guests()?;
        // The suite runs the real program.
        run("gateway", &mut cargo(&["build", "--package", "gatewright"]))?;
        languages::build_plugins()?;
        languages::build_standard_servers(&root().join("target/test-guests"))?;
        if let Some(filter) = self.filter {
            return run(
                "tests",
                &mut cargo(&["test", "--workspace", "--all-targets", "--", &filter]),
            );
        }
        run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        run("lints", &mut cargo(&clippy))?;
        run("tests", &mut cargo(&["test", "--workspace", "--all-targets"]))?;
        run("documentation tests", &mut cargo(&["test", "--workspace", "--doc"]))?;
        for guest in guest_directories()? {
            test_guest(&guest)?;
        }
        languages::test_plugins()?;
        check_dependencies()?;
        eprintln!("\nall tests passed");
        Ok(())
    }
}

/// rustup's minimal profile comes without them.
fn install_lints() {
    if !succeeds(&mut command("rustup", &["component", "add", "rustfmt", "clippy"])) {
        eprintln!("rustup cannot add rustfmt and clippy; the ones that are there are used");
    }
}

/// The SDK, the teaching plugins and the test guests: workspaces of their own.
fn guest_directories() -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut directories = vec![root().join("sdk")];
    directories.extend(guests::plugin_directories()?);
    directories.push(root().join("tests/guests"));
    Ok(directories)
}

fn test_guest(directory: &std::path::Path) -> anyhow::Result<()> {
    let name = directory
        .strip_prefix(root())
        .unwrap_or(directory)
        .display()
        .to_string();
    let guest = |arguments: &[&str]| -> Command {
        let mut cargo = cargo(arguments);
        cargo
            .current_dir(directory)
            .env("CARGO_TARGET_DIR", root().join("target/guests-native"));
        cargo
    };
    run(&format!("{name}: format"), &mut guest(&["fmt", "--check"]))?;
    // Guests that misbehave are tested in a gateway, not natively.
    if !name.starts_with("tests") {
        run(
            &format!("{name}: lints"),
            &mut guest(&["clippy", "--all-targets", "--locked", "--", "--deny", "warnings"]),
        )?;
        run(&format!("{name}: tests"), &mut guest(&["test", "--locked"]))?;
    }
    Ok(())
}

/// Licences, advisories, and who may depend on whom.
fn check_dependencies() -> anyhow::Result<()> {
    if !succeeds(&mut cargo(&["deny", "--version"])) {
        run(
            "install cargo-deny",
            &mut cargo(&["install", "cargo-deny", "--locked", "--quiet"]),
        )?;
    }
    // The advisories come from a database in the internet, which not every machine reaches.
    let offline = ["deny", "check", "bans", "licenses", "sources"];
    run("dependencies", &mut cargo(&offline))?;
    if !succeeds(&mut cargo(&["deny", "check", "advisories"])) {
        eprintln!(
            "skipped: advisories, because their database cannot be reached or names one; see `cargo deny check advisories`"
        );
    }
    Ok(())
}
