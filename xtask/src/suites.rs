//! Suites of others that the tests run, from npm, in `target/tools`. Each has a folder of its own: what it brings along must
//! not be found by anything else.

use std::fs;

use anyhow::Context as _;

use crate::shell::{command, root, run};

/// Name and version.
const SUITES: [(&str, &str); 1] = [("http-cache-tests", "0.4.5")];

/// Installs those that are not there.
pub(crate) fn install() -> anyhow::Result<()> {
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
