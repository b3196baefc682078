//! Collects the files that `gatewright plugin new` writes: the plugin interface, the SDKs, the templates. They are real
//! files of the repository, and the binary carries them, so that nobody needs a clone to write a plugin.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is built or fetched beside the sources, and is nobody's template.
const NOT_OURS: [&str; 5] = ["target", "node_modules", "__pycache__", "bindings", "build"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?)
        .join("../..")
        .canonicalize()?;
    let mut found = Vec::new();
    for folder in ["wit", "sdk"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut found)?;
    }
    found.sort();
    let mut code = String::from("&[\n");
    for file in &found {
        let name = file.strip_prefix(&root).unwrap_or(file).display().to_string();
        let _ = writeln!(code, "({name:?}, include_str!({:?})),", file.display().to_string());
    }
    code.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join("files.rs"), code)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
