//! The programs that build plugins: where they are found, and what is said when they are not there.
//!
//! A tool belongs to the plugin's folder, as languages have it: `.venv/bin` and `node_modules/.bin` there, or in a
//! folder above it, come before the `PATH`. Nothing is ever installed for the whole machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Where languages keep tools beside the sources.
const BESIDE: [&str; 2] = [".venv/bin", "node_modules/.bin"];

/// A program that a language needs.
pub(crate) struct Tool {
    /// What people call it.
    pub(crate) title: &'static str,
    /// What its file may be called; the first that is found is taken.
    pub(crate) programs: &'static [&'static str],
    /// The commands that install it into a plugin's folder.
    pub(crate) install: fn(&Path) -> Vec<Command>,
}

impl Tool {
    /// Its file.
    pub(crate) fn find(&self, folder: &Path) -> Result<PathBuf, Error> {
        let folder = std::path::absolute(folder).map_err(Error::file("find", folder))?;
        let beside = folder
            .ancestors()
            .flat_map(|above| BESIDE.iter().map(move |place| above.join(place)));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places: Vec<PathBuf> = beside.chain(std::env::split_paths(&path)).collect();
        let candidates = self
            .programs
            .iter()
            .flat_map(|name| places.iter().map(move |place| place.join(name)));
        candidates
            .into_iter()
            .find(|file| file.is_file())
            .ok_or_else(|| Error::NoTool {
                tool: self.title,
                folder: folder.clone(),
                commands: (self.install)(&folder)
                    .iter()
                    .map(|command| format!("  {}", shown(command)))
                    .collect::<Vec<_>>()
                    .join("\n"),
            })
    }

    /// Its file, installed where it was missing.
    pub(crate) fn find_or_install(&self, folder: &Path) -> Result<PathBuf, Error> {
        if self.find(folder).is_err() {
            for mut command in (self.install)(folder) {
                run(&mut command, "")?;
            }
        }
        self.find(folder)
    }
}

/// `pip install` of these packages into the folder's own environment.
pub(crate) fn pip(folder: &Path, arguments: &[&str]) -> Vec<Command> {
    let environment = folder.join(".venv");
    let mut create = Command::new("python3");
    create.args(["-m", "venv"]).arg(&environment);
    let mut install = Command::new(environment.join("bin/pip"));
    install
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(arguments);
    vec![create, install]
}

/// `npm install` of what the folder's package.json names.
pub(crate) fn npm(folder: &Path) -> Vec<Command> {
    let mut install = Command::new("npm");
    install
        .arg("install")
        .arg("--prefix")
        .arg(folder)
        .args(["--no-audit", "--no-fund"]);
    vec![install]
}

/// Says what is done and does it. Everything that the program says goes to standard error: standard output is for the
/// name of the file that is made.
pub(crate) fn run(command: &mut Command, hint: &str) -> Result<(), Error> {
    eprintln!("$ {}", shown(command));
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let ended = child.and_then(|mut child| {
        if let Some(mut output) = child.stdout.take() {
            std::io::copy(&mut output, &mut std::io::stderr())?;
        }
        child.wait()
    });
    let status = ended.map_err(|error| Error::Run {
        command: program(command),
        reason: crate::error::reason(&error),
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: program(command),
        status: status.to_string(),
        hint: if hint.is_empty() {
            String::new()
        } else {
            format!(". {hint}")
        },
    })
}

/// The file of a program, without its folder.
pub(crate) fn program(command: &Command) -> String {
    let file = Path::new(command.get_program()).file_name();
    format!("`{}`", file.unwrap_or(command.get_program()).to_string_lossy())
}

/// As one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| {
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:+,~".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: Tool = Tool {
        title: "the frobnicator",
        programs: &["frobnicate-9", "frobnicate"],
        install: |folder| pip(folder, &["frobnicator==9.1"]),
    };

    #[test]
    fn a_tool_in_a_folder_above_is_found() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("plugins/mine");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(top.path().join(".venv/bin")).unwrap();
        let file = top.path().join(".venv/bin/frobnicate");
        std::fs::write(&file, "").unwrap();
        assert_eq!(TOOL.find(&folder).unwrap(), file);
    }

    #[test]
    fn a_missing_tool_says_what_installs_it() {
        let message = TOOL.find(Path::new("/nowhere/my plugin")).unwrap_err().to_string();
        for line in [
            "\n  python3 -m venv '/nowhere/my plugin/.venv'\n",
            "\n  '/nowhere/my plugin/.venv/bin/pip' install --quiet --disable-pip-version-check frobnicator==9.1\n",
        ] {
            assert!(message.contains(line), "{message}");
        }
    }
}
