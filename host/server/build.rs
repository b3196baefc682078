//! Says which commit is built, for `--version`.
//!
//! A release is built anew for every commit. A debug build is not: it names the commit that was there when it was begun.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GATEWRIGHT_COMMIT");
    println!("cargo::rustc-env=GATEWRIGHT_COMMIT={}", commit());
}

fn commit() -> String {
    // Who builds from an archive says which commit it is of.
    if let Ok(commit) = std::env::var("GATEWRIGHT_COMMIT") {
        return commit;
    }
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown commit".to_owned();
    };
    if std::env::var("PROFILE").as_deref() == Ok("debug") {
        return format!("{commit}, debug");
    }
    // Every commit and every change of branch is noted there.
    for path in ["HEAD", "logs/HEAD"] {
        let file = git(&["rev-parse", "--git-path", path]).map(PathBuf::from);
        if let Some(file) = file.filter(|file| file.exists()) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    commit
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
