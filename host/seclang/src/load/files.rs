//! The files that rules are read from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::operators::{operator_parts, reads_phrases};
use crate::syntax;

/// Bytes of one file of rules or phrases.
const FILE_BYTES: u64 = 8 << 20;
/// How deep files may include others.
pub(super) const DEPTH: usize = 8;
/// Files of a set, each counted as often as it is included.
pub(super) const MOST_FILES: usize = 4096;

/// Why a rule set cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder that cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file that is too long.
    #[error("{}: longer than {} MiB", .0.display(), FILE_BYTES >> 20)]
    TooLong(PathBuf),
    /// A folder without rules.
    #[error("{}: no file of it ends in `.conf`", .0.display())]
    Empty(PathBuf),
    /// Files that include each other, or a very deep way.
    #[error("{}: files include each other more than {DEPTH} deep", .0.display())]
    TooDeep(PathBuf),
    /// More files than anybody has, or one that is included again and again.
    #[error("{}: more than {MOST_FILES} files are included", .0.display())]
    TooManyFiles(PathBuf),
    /// More rules than anybody has.
    #[error("more than {} rules", super::MOST_RULES)]
    TooMany,
    /// The words of all rules together are too many.
    #[error("the texts that rules look for make too large an automaton: {0}")]
    Automaton(#[from] aho_corasick::BuildError),
}

/// All that rules are read from when they are loaded from a path: folders, files, what they include, files of phrases. What
/// is missing or cannot be read is named too, so that whoever watches for changes sees it come.
#[must_use]
pub fn rule_files(path: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    list(path, 0, &mut files);
    files
}

fn list(path: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) {
    if depth > DEPTH || files.len() > MOST_FILES || !files.insert(path.to_owned()) {
        return;
    }
    if path.is_dir() {
        for file in rules_of(path).unwrap_or_default() {
            list(&file, depth + 1, files);
        }
        return;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = read(path).unwrap_or_default();
    for directive in syntax::directives(&Arc::new(path.to_owned()), &text) {
        match (
            directive.name.to_ascii_lowercase().as_str(),
            directive.arguments.as_slice(),
        ) {
            ("include" | "includeoptional", [named, ..]) => {
                let named = folder.join(named);
                if is_of_folder(&named) {
                    files.extend(named.parent().map(Path::to_owned));
                }
                for file in included(&named).unwrap_or_default() {
                    list(&file, depth + 1, files);
                }
            }
            ("secrule", [_, operator, ..]) => {
                let (_, name, argument) = operator_parts(operator);
                if reads_phrases(name) {
                    files.extend(argument.split_ascii_whitespace().map(|file| folder.join(file)));
                }
            }
            _ => {}
        }
    }
}

/// The text of a file of rules or phrases.
pub(super) fn read(path: &Path) -> Result<String, LoadError> {
    let about = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if about.len() > FILE_BYTES {
        return Err(LoadError::TooLong(path.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn unreadable(path: &Path, error: std::io::Error) -> LoadError {
    LoadError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

/// Files of a folder that end in `.conf`, by their names.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn rules_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let files = entries.into_iter().map(|entry| entry.path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|end| end == "conf"))
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// What an `Include` names: a file, or with `*` as the last part of its path those of a folder.
pub(super) fn included(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    match path.parent() {
        Some(folder) if is_of_folder(path) => rules_of(folder),
        _ => Ok(vec![path.to_owned()]),
    }
}

fn is_of_folder(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "*.conf" || name == "*")
}
