//! Secrets, read where the configuration points to.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gatewright_config::SecretReference;

/// Bytes of a secret. What is longer is another file.
const LONGEST: u64 = 64 << 10;

/// Why there is no secret. Says where it should have been, never what was there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, or not UTF-8.
    #[error("environment variable {0} is not set")]
    Environment(String),
    /// The file cannot be read.
    #[error("cannot read secret file {}: {}", path.display(), gatewright_config::reason(source))]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// It cannot be a secret.
    #[error("the secret is longer than {LONGEST} bytes")]
    TooLong,
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Environment(_) => "set the variable for the process of the gateway",
            Self::File { source, .. } => gatewright_config::advice(source),
            Self::Empty => "put the secret there: an empty one would let everybody in",
            Self::TooLong => "name the file that has the secret, and nothing else",
        }
    }
}

/// Reads a secret.
///
/// # Errors
/// When it is not there or empty: an empty secret is a mistake that would let everybody in.
pub fn read(reference: &SecretReference) -> Result<String, SecretError> {
    let secret = match reference {
        SecretReference::Environment(name) => {
            std::env::var(name).map_err(|_| SecretError::Environment(name.clone()))?
        }
        SecretReference::File(path) => {
            let text = read_file(path).map_err(|source| SecretError::File {
                path: path.clone(),
                source,
            })?;
            if text.len() as u64 > LONGEST {
                return Err(SecretError::TooLong);
            }
            text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
        }
    };
    if secret.is_empty() {
        Err(SecretError::Empty)
    } else {
        Ok(secret)
    }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    Ok(text)
}
