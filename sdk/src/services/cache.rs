//! Caches of values that can be computed again, shared by the instances of a plugin: one call computes a value while
//! the others that want it wait. Each cache is granted by name.
//!
//! ```
//! use std::time::Duration;
//! use gatewright_sdk::{cache, cache::CacheError, testing::host};
//! host::grant_cache("keys");
//! let minute = Duration::from_secs(60);
//! let computed = cache::get_or_compute("keys", "issuer", || Ok::<_, CacheError>((b"key".to_vec(), minute)));
//! assert_eq!(computed, Ok(b"key".to_vec()));
//! assert_eq!(cache::get("keys", "issuer", None), Ok(cache::Found::Value(b"key".to_vec())));
//! ```

use std::fmt;
use std::time::Duration;

use crate::{Fault, host};

/// What there is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The value.
    Value(Vec<u8>),
    /// None: this call is to compute it and [`put`] it. Others wait for it until this call does, gives up with
    /// [`forget`], or ends.
    Compute,
}

/// Why a cache did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheError {
    /// Not granted or not configured.
    NoSuchCache,
    /// Key or value.
    TooLarge,
    /// Another call computes the value, and the wait was over first.
    Timeout,
    /// The store does not answer, or too many calls wait already.
    Unavailable(String),
}

/// The value of a key, computed by this call if nobody else does: what `compute` returns with the time it is kept. When
/// it fails, the next call that waits is told to compute. A value that cannot be kept is returned all the same.
///
/// # Errors
/// Those of `compute`; see [`CacheError`] for the others.
pub fn get_or_compute<E: From<CacheError>>(
    cache: &str,
    key: &str,
    compute: impl FnOnce() -> Result<(Vec<u8>, Duration), E>,
) -> Result<Vec<u8>, E> {
    if let Found::Value(value) = get(cache, key, None)? {
        return Ok(value);
    }
    match compute() {
        Ok((value, ttl)) => {
            if put(cache, key, &value, ttl).is_err() {
                let _ = forget(cache, key);
            }
            Ok(value)
        }
        Err(error) => {
            let _ = forget(cache, key);
            Err(error)
        }
    }
}

/// The value of a key, or that it is for this call to compute. While another call computes it, waits: for the rest of
/// the call's time, or at most for `wait`.
///
/// # Errors
/// See [`CacheError`].
pub fn get(cache: &str, key: &str, wait: Option<Duration>) -> Result<Found, CacheError> {
    host::cache_get(cache, key, wait)
}

/// Puts a value for so long, and gives it to the calls that wait for it. With a time of zero, only that.
///
/// # Errors
/// See [`CacheError`].
pub fn put(cache: &str, key: &str, value: &[u8], ttl: Duration) -> Result<(), CacheError> {
    host::cache_put(cache, key, value, ttl)
}

/// Forgets the value of a key, if there is one, and that this call was to compute it.
///
/// # Errors
/// See [`CacheError`].
pub fn forget(cache: &str, key: &str) -> Result<(), CacheError> {
    host::cache_forget(cache, key)
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCache => f.write_str("the cache is not granted"),
            Self::TooLarge => f.write_str("too large for the cache"),
            Self::Timeout => f.write_str("the value is not computed in time"),
            Self::Unavailable(text) => write!(f, "the cache does not answer: {text}"),
        }
    }
}

impl std::error::Error for CacheError {}

impl From<CacheError> for Fault {
    fn from(error: CacheError) -> Self {
        match &error {
            CacheError::NoSuchCache => Self::Misconfigured(error.to_string()),
            CacheError::TooLarge => Self::Internal(error.to_string()),
            CacheError::Timeout | CacheError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_value_is_computed_once_until_its_time_is_over() {
        host::reset();
        host::grant_cache("keys");
        let compute = |value: &str| get_or_compute("keys", "k", || Ok::<_, CacheError>((value.into(), MINUTE)));
        assert_eq!(compute("a"), Ok(b"a".to_vec()));
        host::advance(MINUTE - Duration::from_millis(1));
        assert_eq!(compute("b"), Ok(b"a".to_vec()));
        host::advance(Duration::from_millis(1));
        assert_eq!(compute("c"), Ok(b"c".to_vec()));
        assert_eq!(forget("keys", "k"), Ok(()));
        assert_eq!(get("keys", "k", None), Ok(Found::Compute));
    }

    #[test]
    fn what_cannot_be_computed_or_kept_is_the_callers_to_know() {
        host::reset();
        assert_eq!(get("keys", "k", None), Err(CacheError::NoSuchCache));
        host::grant_cache("keys");
        let failed = get_or_compute("keys", "k", || Err::<(Vec<u8>, Duration), _>(CacheError::Timeout));
        assert_eq!(failed, Err(CacheError::Timeout));
        let given = get_or_compute("keys", "k", || Ok::<_, CacheError>((b"v".to_vec(), Duration::ZERO)));
        assert_eq!(given, Ok(b"v".to_vec()));
        assert_eq!(get("keys", "k", None), Ok(Found::Compute), "it is not kept");
        assert_eq!(get("keys", &"k".repeat(513), None), Err(CacheError::TooLarge));
        assert!(matches!(Fault::from(CacheError::Timeout), Fault::Unavailable(_)));
    }
}
