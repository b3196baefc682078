//! Suites of others that the tests run, from npm and from sources of Debian's packages, in `target/tools`. Each has a folder of
//! its own: what it brings along must not be found by anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell::{command, root, run, succeeds};

/// Name and version.
const SUITES: [(&str, &str); 1] = [("http-cache-tests", "0.4.5")];

/// Debian's package of the OWASP Core Rule Set: only its source has the regression tests of the rules.
const RULE_SET: &str = "modsecurity-crs";

/// Installs those that are not there. The tests of the rule set may be missing: what needs them is skipped, and says so.
pub(crate) fn install() -> anyhow::Result<()> {
    install_from_npm()?;
    if let Err(error) = install_rule_set_tests() {
        eprintln!("\nthe regression tests of {RULE_SET} cannot be installed, what needs them is skipped: {error:#}");
    }
    Ok(())
}

fn install_from_npm() -> anyhow::Result<()> {
    for (name, version) in SUITES {
        let folder = root().join("target/tools").join(name);
        let installed = folder.join("installed");
        if fs::read_to_string(&installed).is_ok_and(|text| text == version) {
            continue;
        }
        fs::create_dir_all(&folder)?;
        let mut npm = command(
            "npm",
            &[
                "install",
                "--no-audit",
                "--no-fund",
                "--silent",
                "--ignore-scripts",
                "--prefix",
            ],
        );
        run(name, npm.arg(&folder).arg(format!("{name}@{version}")))?;
        fs::write(&installed, version).with_context(|| format!("cannot write {}", installed.display()))?;
    }
    Ok(())
}

/// Brings the tests that belong to the rules that are installed.
fn install_rule_set_tests() -> anyhow::Result<()> {
    let version = command("dpkg-query", &["--show", "--showformat=${Version}", RULE_SET]).output()?;
    let version = String::from_utf8(version.stdout)?;
    let folder = root().join("target/tools").join(RULE_SET);
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|text| text == version) {
        return Ok(());
    }
    eprintln!("\n== {RULE_SET} {version}: regression tests");
    let work = tempfile::tempdir()?;
    for folder in ["sources", "lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(work.path().join(folder))?;
    }
    write_source_lists(&work.path().join("sources"))?;
    // Some of the machine's archives may have no sources; what counts is whether this one comes.
    succeeds(apt(work.path(), &["update"]).current_dir(work.path()));
    let package = format!("{RULE_SET}={version}");
    let mut download = apt(work.path(), &["source", "--download-only", &package]);
    if !succeeds(download.current_dir(work.path())) {
        bail!("`apt-get source {package}` did not work");
    }
    let files = paths(work.path())?;
    let archive = files.iter().find(|path| path.to_string_lossy().contains(".orig.tar"));
    let archive = archive.context("the source has no archive")?;
    fs::create_dir_all(&folder)?;
    // What is unpacked is named last: a folder that is named behind it counts for nothing.
    let mut tar = command("tar", &["--extract", "--strip-components=3"]);
    tar.arg("--file").arg(archive).arg("--directory").arg(&folder);
    tar.args(["--wildcards", "*/tests/regression/tests/*"]);
    if !succeeds(&mut tar) || !folder.join("tests").is_dir() {
        bail!("{} cannot be unpacked", archive.display());
    }
    fs::write(&installed, version).with_context(|| format!("cannot write {}", installed.display()))
}

/// `apt-get` with lists of its own, so that those of the machine stay as they are.
fn apt(work: &Path, arguments: &[&str]) -> Command {
    let mut apt = command("apt-get", &["--option", "Dir::Etc::SourceList=/dev/null"]);
    for (key, folder) in [
        ("Dir::Etc::SourceParts", "sources"),
        ("Dir::State::Lists", "lists"),
        ("Dir::Cache", "cache"),
    ] {
        apt.arg("--option")
            .arg(format!("{key}={}", work.join(folder).display()));
    }
    apt.args(arguments);
    apt
}

/// Writes the machine's lists of archives, changed to their sources.
fn write_source_lists(folder: &Path) -> anyhow::Result<()> {
    let mut lists = paths(Path::new("/etc/apt/sources.list.d")).unwrap_or_default();
    lists.push("/etc/apt/sources.list".into());
    for list in lists {
        let (Ok(text), Some(name)) = (fs::read_to_string(&list), list.file_name()) else {
            continue;
        };
        let lines = text.lines().map(|line| match line.strip_prefix("deb ") {
            Some(rest) => format!("deb-src {rest}\n"),
            None if line.starts_with("Types:") => "Types: deb-src\n".to_owned(),
            None => format!("{line}\n"),
        });
        fs::write(folder.join(name), lines.collect::<String>())?;
    }
    Ok(())
}

fn paths(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
}
