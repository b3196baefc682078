//! C: clang, as Zig brings it with a C library for WASI, makes a module, with bindings that are written here, and a
//! component is made of it.

use std::fs;
use std::process::Command;

use super::Toolchain;
use crate::Error;
use crate::building::{Job, Made};
use crate::interface::World;
use crate::sections::without_debugging;
use crate::tool::{Tool, pip, run};

pub(super) struct C;

const ZIG: Tool = Tool {
    title: "zig, which has the C compiler,",
    programs: &["zig", "python-zig"],
    install: |folder| pip(folder, &["ziglang==0.17.1"]),
};

/// Zig would give 16 MiB, which all belong to the initial memory: what a new instance costs depends on how much that is.
const STACK: &str = "-Wl,-z,stack-size=131072";

/// How the files of bindings are called.
const BINDINGS: &str = "gatewright_plugin";

impl Toolchain for C {
    fn marks(&self) -> &'static [&'static str] {
        &["plugin.c"]
    }

    fn carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("wit", "wit/deps/gatewright/"), ("sdk/c/package", "")]
    }

    fn build(&self, job: &Job<'_>) -> Result<Made, Error> {
        let zig = job.tool(&ZIG)?;
        let bindings = job.fresh("bindings")?;
        let options = wit_bindgen_c::Opts {
            // What the component is, is told by `componentize` below.
            no_object_file: true,
            rename_world: Some(BINDINGS.to_owned()),
            ..wit_bindgen_c::Opts::default()
        };
        World::of(&job.folder)?.write_bindings(options.build(), &bindings, linked)?;
        let module = job.fresh("c")?.join("plugin.core.wasm");
        let mut build = Command::new(zig);
        build.current_dir(&job.folder).args([
            "cc",
            "-target",
            "wasm32-wasi",
            "-mexec-model=reactor",
            "-std=c23",
            "-Os",
        ]);
        build
            .args(["-Wall", "-Wextra", "-I", "."])
            .arg("-I")
            .arg(&bindings)
            .arg("plugin.c")
            .arg(bindings.join(format!("{BINDINGS}.c")));
        // `assert` says where it was, and names of functions, which come with what a debugger reads, are in the trace of a trap.
        build.args([STACK, "-UNDEBUG", "-g", "-o"]).arg(&module);
        run(&mut build, "")?;
        let whole = fs::read(&module).map_err(Error::file("read", &module))?;
        fs::write(&module, without_debugging(&whole)).map_err(Error::file("write", &module))?;
        let file = job.work.join("c/plugin.wasm");
        World::of(&job.folder)?.componentize(&module, &file)?;
        Ok(Made { file, name: None })
    }
}

/// The generated code wants to be linked with an object that says what the component is. `componentize` says that, so
/// there is none.
fn linked(text: String) -> String {
    let object = format!("__component_type_object_force_link_{BINDINGS}");
    if text.contains(&object) {
        text + &format!("\nvoid {object}(void) {{}}\n")
    } else {
        text
    }
}
