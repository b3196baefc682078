//! Secrets, read where the configuration points to.

use gatewright_config::SecretReference;

/// Why there is no secret. Says where it should have been, never what was there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, or not UTF-8.
    #[error("environment variable {0} is not set")]
    Environment(String),
    /// The file cannot be read.
    #[error("cannot read secret file {}: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
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
            let text = std::fs::read_to_string(path).map_err(|source| SecretError::File {
                path: path.clone(),
                source,
            })?;
            text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
        }
    };
    if secret.is_empty() {
        Err(SecretError::Empty)
    } else {
        Ok(secret)
    }
}
