//! Why a plugin cannot be started or built.

use std::path::{Path, PathBuf};

/// Why a plugin cannot be started or built. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a plugin's name.
    #[error("`{name}` is no name for a plugin: {reason}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not one of a list.
    #[error("there is no {what} `{given}`; there are {known}")]
    Unknown {
        /// What the list is of.
        what: &'static str,
        /// What was given.
        given: String,
        /// The list.
        known: String,
    },
    /// There is something already.
    #[error("{} exists already; take another name, or remove it first", .0.display())]
    Exists(PathBuf),
    /// No folder.
    #[error("{} is no folder; name the folder of a plugin", .0.display())]
    NoFolder(PathBuf),
    /// A folder that says nothing.
    #[error("{} is no plugin: it has none of {marks}", folder.display())]
    NoLanguage {
        /// The folder.
        folder: PathBuf,
        /// Files that would say which language it is.
        marks: String,
    },
    /// A folder that is not what it is said to be.
    #[error("{} is no plugin in {language}: it has no {missing}{hint}", folder.display())]
    OtherLanguage {
        /// The folder.
        folder: PathBuf,
        /// What it is said to be in.
        language: &'static str,
        /// A file that such a plugin has.
        missing: &'static str,
        /// What it is in, where that can be seen.
        hint: String,
    },
    /// A folder that says two things.
    #[error("{} could be a plugin in {languages}; say which with `--language`", folder.display())]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// The languages.
        languages: String,
    },
    /// Tools that are not there.
    #[error("{tool} is not installed, neither in {} nor on the PATH; install it with\n{commands}\nor build with `--install`, which runs just that", folder.display())]
    NoTool {
        /// What is missing.
        tool: &'static str,
        /// The plugin's folder.
        folder: PathBuf,
        /// One command a line.
        commands: String,
    },
    /// A tool that did not run.
    #[error("cannot run {command}: {reason}")]
    Run {
        /// The command.
        command: String,
        /// The system's words.
        reason: String,
    },
    /// A tool that failed. What it said stands above.
    #[error("{command} failed ({status}); what it said stands above{hint}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// What may help, or nothing.
        hint: String,
    },
    /// The plugin's `wit` folder.
    #[error("cannot read the plugin's world from {}: {reason}", folder.display())]
    World {
        /// The folder `wit`.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What the compiler made is no plugin.
    #[error("cannot make a component of {}: {reason}", file.display())]
    Component {
        /// The core module.
        file: PathBuf,
        /// What is missing in it, mostly.
        reason: String,
    },
    /// The build went through and there is no `.wasm`.
    #[error("{0}")]
    NoResult(String),
    /// A file.
    #[error("cannot {what} {}: {}", file.display(), reason(error))]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        file: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// The system's words, without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl Error {
    /// Whether what was given is wrong, and not what happened then.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(
            self,
            Self::Name { .. }
                | Self::Unknown { .. }
                | Self::Exists(_)
                | Self::NoFolder(_)
                | Self::NoLanguage { .. }
                | Self::OtherLanguage { .. }
                | Self::Ambiguous { .. }
                | Self::World { .. }
                | Self::Component { .. }
                | Self::NoResult(_)
        )
    }

    pub(crate) fn unknown(what: &'static str, given: &str, known: &[&str]) -> Self {
        Self::Unknown {
            what,
            given: given.to_owned(),
            known: known.join(", "),
        }
    }

    /// For `map_err` on what the file system says.
    pub(crate) fn file(what: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_owned();
        move |error| Self::File { what, file, error }
    }
}
