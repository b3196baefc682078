//! Python: componentize-py puts CPython, the plugin and what it imports into one component.

mod buffers;

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Toolchain;
use crate::Error;
use crate::building::{Job, Made};
use crate::tool::{Tool, pip, run};

pub(super) struct Python;

const COMPONENTIZE: Tool = Tool {
    title: "componentize-py",
    programs: &["componentize-py"],
    install: |folder| {
        let requirements = folder.join("requirements.txt");
        if requirements.is_file() {
            pip(folder, &["--requirement", &requirements.display().to_string()])
        } else {
            pip(folder, &["componentize-py==0.25.1"])
        }
    },
};

impl Toolchain for Python {
    fn marks(&self) -> &'static [&'static str] {
        &["app.py"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("wit", "wit/deps/gatewright/"), ("sdk/python/package", "")]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        let componentize = job.tool(&COMPONENTIZE)?;
        // For editors and for tests, which run outside of the component; the component has its own.
        let bindings = job.folder.join("bindings");
        if bindings.exists() {
            fs::remove_dir_all(&bindings).map_err(Error::file("empty", &bindings))?;
        }
        let command = || {
            let mut command = Command::new(&componentize);
            command.current_dir(&job.folder).args(["--wit-path", "wit"]);
            command
        };
        run(command().args(["--quiet", "bindings", "bindings"]), "")?;
        let file = job.fresh("python")?.join("plugin.wasm");
        let mut build = command();
        // The interpreter asks WASI for random numbers and the time as it starts; the gateway's WASI has both, and nothing
        // else in it.
        build.args(["componentize", "app", "--output"]).arg(&file);
        run(&mut build, "")?;
        mend(&componentize, &file)?;
        Ok(Made { file, name: None })
    }
}

/// Has memory freed that componentize-py does not free.
fn mend(componentize: &Path, file: &Path) -> Result<(), Error> {
    let version = Command::new(componentize).arg("--version").output();
    if !version.is_ok_and(|version| buffers::leaks(&String::from_utf8_lossy(&version.stdout))) {
        return Ok(());
    }
    let component = fs::read(file).map_err(Error::file("read", file))?;
    // A component that cannot be read is for whoever loads it to refuse.
    match buffers::mended(&component) {
        Ok(Some(mended)) => fs::write(file, mended).map_err(Error::file("write", file)),
        Ok(None) | Err(_) => Ok(()),
    }
}
