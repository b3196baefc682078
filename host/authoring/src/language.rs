//! The languages. Each is one file with the same parts: which files say that a folder is in it, which tools it needs, and
//! how it is built.

mod c;
mod go;
mod javascript;
mod python;
mod rust;
mod typescript;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

pub use rust::RustTarget;

use crate::Error;
use crate::building::{Job, Made};

/// What plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// C, compiled by clang as Zig brings it.
    C,
    /// Go.
    Go,
    /// JavaScript, run by QuickJS.
    JavaScript,
    /// Python, run by CPython.
    Python,
    /// Rust.
    Rust,
    /// TypeScript, made JavaScript.
    TypeScript,
}

/// How plugins in one language are built.
pub(crate) trait Toolchain {
    /// Files of a plugin's folder all of which say together that it is in this language.
    fn marks(&self) -> &'static [&'static str];

    /// Files that say that it is another one all the same.
    fn not_with(&self) -> &'static [&'static str] {
        &[]
    }

    /// Folders of the repository that a new plugin gets, and where in the plugin's folder.
    fn carried(&self) -> &'static [(&'static str, &'static str)];

    /// Builds. Runs tools, visibly, and writes only below `build` of the plugin's folder, or where the language's own
    /// tool keeps such things.
    fn build(&self, job: &Job<'_>) -> Result<Made, Error>;
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::C,
        Self::Go,
        Self::JavaScript,
        Self::Python,
        Self::Rust,
        Self::TypeScript,
    ];

    /// As a person calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::Go => "Go",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::Rust => "Rust",
            Self::TypeScript => "TypeScript",
        }
    }

    /// As commands and folders call it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
        }
    }

    /// What a plugin's folder says that it is written in.
    ///
    /// # Errors
    /// When it says nothing, or two things.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let has = |file: &&str| folder.join(file).is_file();
        let is_it = |language: &Self| {
            let toolchain = language.toolchain();
            toolchain.marks().iter().all(has) && !toolchain.not_with().iter().any(has)
        };
        let found: Vec<Self> = Self::ALL.into_iter().filter(is_it).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Error::NoLanguage {
                folder: folder.to_owned(),
                marks: Self::all_marks(),
            }),
            several => Err(Error::Ambiguous {
                folder: folder.to_owned(),
                languages: several
                    .iter()
                    .map(|language| language.title())
                    .collect::<Vec<_>>()
                    .join(" or "),
            }),
        }
    }

    /// This language, where the folder may be a plugin in it.
    ///
    /// # Errors
    /// When the folder lacks what such a plugin has.
    pub(crate) fn in_folder(self, folder: &Path) -> Result<Self, Error> {
        let missing = self
            .toolchain()
            .marks()
            .iter()
            .find(|mark| !folder.join(mark).is_file());
        let Some(missing) = missing else {
            return Ok(self);
        };
        Err(Error::OtherLanguage {
            folder: folder.to_owned(),
            language: self.title(),
            missing,
            hint: match Self::of(folder) {
                Ok(other) => format!("; it is one in {}: leave `--language` out", other.title()),
                Err(_) => String::new(),
            },
        })
    }

    fn all_marks() -> String {
        let mark = |language: Self| format!("{} ({})", language.toolchain().marks().join(" and "), language.title());
        Self::ALL.map(mark).join(", ")
    }

    pub(crate) fn carried(self) -> &'static [(&'static str, &'static str)] {
        self.toolchain().carried()
    }

    pub(crate) fn toolchain(self) -> &'static dyn Toolchain {
        match self {
            Self::C => &c::C,
            Self::Go => &go::Go,
            Self::JavaScript => &javascript::JavaScript,
            Self::Python => &python::Python,
            Self::Rust => &rust::Rust,
            Self::TypeScript => &typescript::TypeScript,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.key())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|language| language.key() == text);
        known.ok_or_else(|| Error::unknown("language", text, &Self::ALL.map(Self::key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_which_language_it_is() {
        for (files, language) in [
            (&["plugin.c"][..], Language::C),
            (&["go.mod", "main.go"], Language::Go),
            (&["package.json", "plugin.js"], Language::JavaScript),
            (&["package.json", "tsconfig.json"], Language::TypeScript),
            (&["app.py", "requirements.txt"], Language::Python),
            (&["Cargo.toml"], Language::Rust),
        ] {
            let folder = tempfile::tempdir().unwrap();
            files
                .iter()
                .for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
            assert_eq!(Language::of(folder.path()).unwrap(), language, "{files:?}");
        }
    }

    #[test]
    fn a_folder_in_another_language_is_not_built_as_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = |language: Language| language.in_folder(folder.path()).unwrap_err().to_string();
        assert!(
            error(Language::Go).ends_with("is no plugin in Go: it has no go.mod"),
            "{}",
            error(Language::Go)
        );
        std::fs::write(folder.path().join("app.py"), "").unwrap();
        let hint = "it has no go.mod; it is one in Python: leave `--language` out";
        assert!(error(Language::Go).ends_with(hint), "{}", error(Language::Go));
        assert_eq!(Language::Python.in_folder(folder.path()).unwrap(), Language::Python);
    }

    #[test]
    fn a_folder_that_says_nothing_or_too_much_is_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        let error = Language::of(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("go.mod (Go)") && error.contains("Cargo.toml (Rust)"),
            "{error}"
        );
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        std::fs::write(folder.path().join("go.mod"), "").unwrap();
        let error = Language::of(folder.path()).unwrap_err().to_string();
        assert!(error.contains("Go or Rust") && error.contains("--language"), "{error}");
    }
}
