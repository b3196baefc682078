//! JavaScript: componentize-qjs puts QuickJS, the plugin and what it imports into one component, with `guard` around its hooks.

mod guard;

use std::path::Path;
use std::process::Command;

use super::Toolchain;
use crate::Error;
use crate::building::{Job, Made};
use crate::tool::{Tool, npm, run};

pub(super) struct JavaScript;

const COMPONENTIZE: Tool = Tool {
    title: "componentize-qjs",
    programs: &["componentize-qjs"],
    install: npm,
};

impl Toolchain for JavaScript {
    fn marks(&self) -> &'static [&'static str] {
        &["package.json"]
    }

    fn not_with(&self) -> &'static [&'static str] {
        &["tsconfig.json"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("wit", "wit/deps/gatewright/"), ("sdk/javascript/package", "")]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        componentize(job, Path::new("plugin.js"))
    }
}

/// Makes a component of a script, whose path is relative to the plugin's folder.
pub(super) fn componentize(job: &Job<'_>, script: &Path) -> Result<Made, Error> {
    let tool = job.tool(&COMPONENTIZE)?;
    let file = job.fresh("component")?.join("plugin.wasm");
    let script = guard::write(job, script)?;
    let mut build = Command::new(tool);
    build
        .current_dir(&job.folder)
        .args(["--wit", "wit", "--js"])
        .arg(script);
    // Calls of a plugin are synchronous, and WASI has nothing that a plugin could use. Not `--opt-size`: a third smaller, and
    // a call takes half as long again.
    build.args(["--sync", "--stub-wasi", "--output"]).arg(&file);
    run(&mut build, "")?;
    Ok(Made { file, name: None })
}
