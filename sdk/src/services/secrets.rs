//! Secrets of the gateway, granted by name. Read them where they are used and do not keep them: they rotate.

use std::fmt;

use crate::{Fault, host};

/// Why there is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// The operator did not grant it.
    NotGranted,
    /// Granted, but its source has no value.
    NotFound,
    /// Its source does not answer.
    Unavailable(String),
}

/// The secret's value.
///
/// # Errors
/// See [`SecretError`]; it converts into a [`Fault`], so `?` works in a hook.
pub fn get(name: &str) -> Result<Vec<u8>, SecretError> {
    host::secret(name)
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str("the secret is not granted"),
            Self::NotFound => f.write_str("the secret has no value"),
            Self::Unavailable(text) => write!(f, "the secret cannot be read: {text}"),
        }
    }
}

impl std::error::Error for SecretError {}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::NotGranted | SecretError::NotFound => Self::Misconfigured(error.to_string()),
            SecretError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
