//! Servers and clients that the tests talk to, installed where they are missing. The tests start and end them.

use anyhow::bail;

use crate::shell::{command, succeeds};

/// Programs, and Debian's package of each.
const PROGRAMS: [(&str, &str); 4] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("curl", "curl"),
    ("promtool", "prometheus"),
];

/// Installs those that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !succeeds(&mut command(program, &["--version"])))
        .map(|(_, package)| *package)
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
        "the tests need a Redis server, curl and promtool, and one is not here; `apt-get {}` did not work",
        install.join(" ")
    );
}
