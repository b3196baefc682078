//! Where in a configuration something is said: for mistakes that only show when what it names is opened.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::error::ConfigError;

/// Where in a configuration something is said.
///
/// No part of what a configuration means: two places are always equal, so that text which moves changes nothing.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<PathBuf>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Key path such as `upstream.users.ca`.
    pub key: Box<str>,
}

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq)]
pub struct FileReference {
    /// The file.
    pub path: PathBuf,
    /// Where it is named.
    pub place: Place,
}

impl Place {
    /// The place of what no file says.
    pub fn nowhere() -> Self {
        Self {
            file: Arc::default(),
            line: 1,
            column: 1,
            key: "".into(),
        }
    }

    /// The same place, for a key of the table that is there.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let key = match self.key.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.key),
        };
        Self {
            key: key.into(),
            ..self.clone()
        }
    }

    /// Where it is, for a message about another place: `line 3`, or `users.toml:3` when that is another file.
    pub fn seen_from(&self, other: &Self) -> String {
        match self.file == other.file {
            true => format!("line {}", self.line),
            false => self.to_string(),
        }
    }

    /// What is wrong here.
    pub fn mistake(&self, message: impl Display) -> ConfigError {
        ConfigError {
            file: self.file.to_path_buf(),
            line: self.line,
            column: self.column,
            key: self.key.to_string(),
            message: message.to_string(),
            hint: None,
        }
    }
}

/// `gateway.toml:12`
impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// The line: what else a place says is said by messages.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.line.serialize(serializer)
    }
}

impl Serialize for FileReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}
