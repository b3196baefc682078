//! Servers and clients that the tests talk to, and rules that they run, installed where they are missing. The tests start and end them.

use std::path::Path;

use anyhow::bail;

use crate::shell::{command, succeeds};

/// Programs, and Debian's package of each.
const PROGRAMS: [(&str, &str); 4] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("curl", "curl"),
    ("promtool", "prometheus"),
];

/// Files that tests read, and Debian's package of each: the OWASP Core Rule Set.
const FILES: [(&str, &str); 1] = [("/usr/share/modsecurity-crs/rules", "modsecurity-crs")];

/// Installs those that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !succeeds(&mut command(program, &["--version"])))
        .map(|(_, package)| *package)
        .chain(
            FILES
                .iter()
                .filter(|(file, _)| !Path::new(file).exists())
                .map(|(_, package)| *package),
        )
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install: Vec<_> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(missing)
        .collect();
    // A fresh machine may know no packages yet.
    if succeeds(&mut command("apt-get", &install))
        || (succeeds(&mut command("apt-get", &["update"])) && succeeds(&mut command("apt-get", &install)))
    {
        return Ok(());
    }
    bail!(
        "the tests need a Redis server, curl, promtool and the OWASP Core Rule Set, and one is not here; `apt-get {}` did not work",
        install.join(" ")
    );
}
