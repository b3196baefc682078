//! `cargo xtask bench`

use clap::Args;

use crate::shell::{cargo, run};
use crate::{guests, languages};

/// Runs the micro benchmarks, optimised as a release is but for optimisation at link time, which takes a quarter of an
/// hour.
#[derive(Args)]
pub(crate) struct Bench {
    /// Only benchmarks whose name has this in it.
    filter: Option<String>,
    /// Build the guests for the side-by-side benchmark, and run nothing.
    #[arg(long)]
    guests: bool,
    /// What the same authorizer costs in each language, as a table.
    #[arg(long)]
    languages: bool,
}

impl Bench {
    /// Does it.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        guests::build_bench_guests()?;
        if self.guests {
            return Ok(());
        }
        if self.languages {
            languages::build_authorizers()?;
            let languages = [
                "run",
                "--profile",
                "quick",
                "--package",
                "gatewright-bench",
                "--bin",
                "languages",
            ];
            return run("languages", &mut cargo(&languages));
        }
        let mut bench = cargo(&["bench", "--profile", "quick", "--package", "gatewright-bench", "--"]);
        run("micro benchmarks", bench.args(self.filter))
    }
}
