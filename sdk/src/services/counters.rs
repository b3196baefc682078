//! Counters and token buckets kept by the gateway, shared by the instances of a plugin. Each is granted by name.

use std::fmt;
use std::time::Duration;

use crate::{Fault, host};

/// What a token bucket said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Whether the tokens were taken.
    pub allowed: bool,
    /// Whole tokens left.
    pub remaining: u64,
    /// When the tokens will be there; zero when allowed.
    pub retry_after: Duration,
}

/// Why a counter did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CounterError {
    /// Not granted or not configured.
    NoSuchCounter,
    /// A key, window, capacity or rate that makes no sense.
    BadRequest(String),
    /// The state store does not answer.
    Unavailable(String),
}

/// Adds to a fixed-window counter and returns its new value.
///
/// # Errors
/// See [`CounterError`].
pub fn add(counter: &str, key: &str, delta: i64, window: Duration) -> Result<i64, CounterError> {
    host::counter_add(counter, key, delta, window)
}

/// Takes tokens from a bucket, all or none.
///
/// # Errors
/// See [`CounterError`].
pub fn take(
    counter: &str,
    key: &str,
    tokens: u32,
    capacity: u32,
    refill_per_second: f64,
) -> Result<Bucket, CounterError> {
    host::counter_take(counter, key, tokens, capacity, refill_per_second)
}

impl fmt::Display for CounterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCounter => f.write_str("the counter is not granted"),
            Self::BadRequest(text) => write!(f, "the counter cannot be used so: {text}"),
            Self::Unavailable(text) => write!(f, "the counter does not answer: {text}"),
        }
    }
}

impl std::error::Error for CounterError {}

impl From<CounterError> for Fault {
    fn from(error: CounterError) -> Self {
        match &error {
            CounterError::NoSuchCounter => Self::Misconfigured(error.to_string()),
            CounterError::BadRequest(_) => Self::Internal(error.to_string()),
            CounterError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
