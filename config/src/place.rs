//! Where in the file something is said: for mistakes that only show when what the file names is opened.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::{ConfigError, ConfigErrors};

/// Where in the file something is said.
///
/// No part of what a configuration means: two places are always equal, so that text which moves changes nothing.
#[derive(Clone, Debug)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Key path such as `upstream.users.ca`.
    pub key: String,
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
    /// What is wrong here, in the configuration file `file`.
    pub fn mistake(&self, file: &Path, message: impl Display) -> ConfigErrors {
        ConfigErrors {
            file: file.to_owned(),
            errors: vec![ConfigError {
                line: self.line,
                column: self.column,
                key: self.key.clone(),
                message: message.to_string(),
                hint: None,
            }],
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Serialize for FileReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}
