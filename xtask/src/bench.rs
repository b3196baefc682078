//! `cargo xtask bench`

use clap::Args;

use crate::shell::{cargo, run};
use crate::{guests, languages};

/// Runs the micro benchmarks, optimised as a release is.
#[derive(Args)]
pub(crate) struct Bench {
    /// Only benchmarks whose name has this in it.
    filter: Option<String>,
    /// Build the guest for the side-by-side benchmark, and run nothing.
    #[arg(long)]
    guest: bool,
    /// What the same authorizer costs in each language, as a table.
    #[arg(long)]
    languages: bool,
}

impl Bench {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        guests::build_bench_guest()?;
        if self.guest {
            return Ok(());
        }
        if self.languages {
            languages::build_authorizers()?;
            let languages = [
                "run",
                "--release",
                "--package",
                "gatewright-bench",
                "--bin",
                "languages",
            ];
            return run("languages", &mut cargo(&languages));
        }
        let mut bench = cargo(&["bench", "--package", "gatewright-bench", "--"]);
        run("micro benchmarks", bench.args(self.filter))
    }
}
