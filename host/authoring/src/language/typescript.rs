//! TypeScript: the compiler checks it and makes JavaScript of it, which goes on as any other.

use std::path::Path;
use std::process::Command;

use super::{Toolchain, javascript};
use crate::Error;
use crate::building::{Job, Made};
use crate::tool::{Tool, npm, run};

pub(super) struct TypeScript;

const COMPILER: Tool = Tool {
    title: "tsc, the TypeScript compiler,",
    programs: &["tsc"],
    install: npm,
};

impl Toolchain for TypeScript {
    fn marks(&self) -> &'static [&'static str] {
        &["package.json", "tsconfig.json"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("wit", "wit/deps/gatewright/"), ("sdk/javascript/package", "")]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        let compiler = job.tool(&COMPILER)?;
        let scripts = job.fresh("javascript")?;
        let mut compile = Command::new(compiler);
        compile
            .current_dir(&job.folder)
            .args(["--project", "tsconfig.json", "--sourceMap", "--outDir"])
            .arg(&scripts);
        run(&mut compile, "")?;
        javascript::componentize(job, Path::new("build/javascript/plugin.js"))
    }
}
