//! The services a plugin may call, in memory, for the thread of the test.
//!
//! The clock stands at 2023-11-14T22:13:20Z until it is moved, random numbers are the same in every run, logs and
//! metrics are kept. Everything that has to be granted is refused until the test grants it.
//!
//! ```
//! use std::time::Duration;
//! use gatewright_sdk::{clock, secrets, testing::host};
//! host::advance(Duration::from_secs(5));
//! assert_eq!(clock::unix(), Duration::from_secs(1_700_000_005));
//! assert_eq!(secrets::get("KEY"), Err(secrets::SecretError::NotGranted));
//! host::grant_secret("KEY", "sesame");
//! assert_eq!(secrets::get("KEY"), Ok(b"sesame".to_vec()));
//! ```

mod memory;
pub(crate) mod service;

use std::time::Duration;

use crate::log::Level;
use crate::{Response, http::HttpError, http::HttpRequest};
use memory::with;

/// A line the plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// Forgets everything: grants, lines, metrics, the time. Threads are used again when tests run one at a time, so a
/// test that counts should begin with this.
pub fn reset() {
    with(|host| *host = memory::Host::new());
}

/// Every line written so far.
pub fn logs() -> Vec<LogLine> {
    with(|host| host.logs.clone())
}

/// The value of a counter or gauge, or the sum of a histogram, over all labels; none when it was never touched.
pub fn metric(name: &str) -> Option<f64> {
    with(|host| host.metrics.get(name).copied())
}

/// Sets the wall clock, as time since 1970-01-01T00:00:00Z.
pub fn set_unix(time: Duration) {
    with(|host| host.unix = time);
}

/// Moves both clocks on.
pub fn advance(by: Duration) {
    with(|host| {
        host.unix += by;
        host.monotonic += by;
    });
}

/// Sets the seed of the random numbers.
pub fn seed(seed: u64) {
    with(|host| host.random = seed);
}

/// Grants a secret.
pub fn grant_secret(name: &str, value: impl Into<Vec<u8>>) {
    with(|host| host.secrets.insert(name.to_owned(), value.into()));
}

/// Grants a key-value store, empty.
pub fn grant_kv(store: &str) {
    with(|host| host.stores.insert(store.to_owned(), Default::default()));
}

/// Grants a cache, empty.
pub fn grant_cache(cache: &str) {
    with(|host| host.caches.insert(cache.to_owned(), Default::default()));
}

/// From now on, another call computes the value of this key of a cache, and does not come to an end.
///
/// ```
/// use gatewright_sdk::{cache, testing::host};
/// host::grant_cache("keys");
/// host::computed_elsewhere("keys", "issuer");
/// assert_eq!(cache::get("keys", "issuer", None), Err(cache::CacheError::Timeout));
/// ```
pub fn computed_elsewhere(cache: &str, key: &str) {
    with(|host| {
        host.caches
            .entry(cache.to_owned())
            .or_default()
            .elsewhere
            .insert(key.to_owned())
    });
}

/// Grants a counter.
pub fn grant_counter(counter: &str) {
    with(|host| host.counters.insert(counter.to_owned(), Default::default()));
}

/// From now on, the stores, caches and counters that are granted do not answer, for this reason.
///
/// ```
/// use gatewright_sdk::{kv, testing::host};
/// host::grant_kv("sessions");
/// host::state_is_away("connection refused");
/// assert_eq!(kv::get("sessions", "a"), Err(kv::KvError::Unavailable("connection refused".to_owned())));
/// ```
pub fn state_is_away(reason: &str) {
    with(|host| host.away = Some(reason.to_owned()));
}

/// Grants outbound HTTP and answers it.
pub fn answer_http(answer: impl Fn(&HttpRequest) -> Result<Response, HttpError> + 'static) {
    with(|host| host.http = Some(std::rc::Rc::new(answer)));
}
