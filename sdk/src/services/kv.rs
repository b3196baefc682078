//! Key-value stores, shared by the instances of a plugin. Each store is granted by name.

use std::fmt;
use std::time::Duration;

use crate::{Fault, host};

/// A value and its revision, which grows with each change of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// The revision.
    pub revision: u64,
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvError {
    /// Not granted or not configured.
    NoSuchStore,
    /// Key, value or the plugin's quota.
    TooLarge,
    /// The store does not answer.
    Unavailable(String),
}

/// The entry of a key; none when there is none or its time is over.
///
/// # Errors
/// See [`KvError`].
pub fn get(store: &str, key: &str) -> Result<Option<Entry>, KvError> {
    host::kv_get(store, key)
}

/// Sets a key and returns its new revision. Without a time to live it stays until it is deleted.
///
/// # Errors
/// See [`KvError`].
pub fn set(store: &str, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64, KvError> {
    host::kv_set(store, key, value, ttl)
}

/// Sets a key if its revision still is `expected` (none: if there is no such key). Returns the new revision, or none
/// when somebody else was faster.
///
/// # Errors
/// See [`KvError`].
pub fn compare_and_set(
    store: &str,
    key: &str,
    expected: Option<u64>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<u64>, KvError> {
    host::kv_compare_and_set(store, key, expected, value, ttl)
}

/// Deletes a key, if it is there.
///
/// # Errors
/// See [`KvError`].
pub fn delete(store: &str, key: &str) -> Result<(), KvError> {
    host::kv_delete(store, key)
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("the store is not granted"),
            Self::TooLarge => f.write_str("too large for the store"),
            Self::Unavailable(text) => write!(f, "the store does not answer: {text}"),
        }
    }
}

impl std::error::Error for KvError {}

impl From<KvError> for Fault {
    fn from(error: KvError) -> Self {
        match &error {
            KvError::NoSuchStore => Self::Misconfigured(error.to_string()),
            KvError::TooLarge => Self::Internal(error.to_string()),
            KvError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
