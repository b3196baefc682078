//! Calls of the gateway, in our types.

use std::time::Duration;

use crate::bindings::services::gatewright::plugin as wit;
use crate::convert::millis;
use crate::services::cache::{CacheError, Found};
use crate::services::counters::{Bucket, CounterError};
use crate::services::http::{HttpError, HttpRequest};
use crate::services::kv::{Entry, KvError};
use crate::services::log::Level;
use crate::services::secrets::SecretError;
use crate::{Fields, Response};

pub(crate) fn log_enabled(level: Level) -> bool {
    wit::log::enabled(level.into())
}

pub(crate) fn log_write(level: Level, message: &str, fields: &[(&str, &str)]) {
    wit::log::write(level.into(), message, &owned(fields));
}

pub(crate) fn unix_nanos() -> u64 {
    wit::clock::unix_nanos()
}

pub(crate) fn monotonic_nanos() -> u64 {
    wit::clock::monotonic_nanos()
}

pub(crate) fn random_bytes(length: u32) -> Vec<u8> {
    wit::random::bytes(length)
}

pub(crate) fn random_number() -> u64 {
    wit::random::number()
}

pub(crate) fn metric_add(name: &str, delta: u64, labels: &[(&str, &str)]) {
    wit::metrics::add(name, delta, &owned(labels));
}

pub(crate) fn metric_set(name: &str, value: f64, labels: &[(&str, &str)]) {
    wit::metrics::set(name, value, &owned(labels));
}

pub(crate) fn metric_observe(name: &str, value: f64, labels: &[(&str, &str)]) {
    wit::metrics::observe(name, value, &owned(labels));
}

pub(crate) fn secret(name: &str) -> Result<Vec<u8>, SecretError> {
    wit::secrets::get(name).map_err(Into::into)
}

pub(crate) fn kv_get(store: &str, key: &str) -> Result<Option<Entry>, KvError> {
    let found = wit::kv::get(store, key)?;
    Ok(found.map(|entry| Entry {
        value: entry.value,
        revision: entry.revision,
    }))
}

pub(crate) fn kv_set(store: &str, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64, KvError> {
    wit::kv::set(store, key, value, ttl.map(millis)).map_err(Into::into)
}

pub(crate) fn kv_compare_and_set(
    store: &str,
    key: &str,
    expected: Option<u64>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<u64>, KvError> {
    wit::kv::compare_and_set(store, key, expected, value, ttl.map(millis)).map_err(Into::into)
}

pub(crate) fn kv_delete(store: &str, key: &str) -> Result<(), KvError> {
    wit::kv::delete(store, key).map_err(Into::into)
}

pub(crate) fn cache_get(cache: &str, key: &str, wait: Option<Duration>) -> Result<Found, CacheError> {
    Ok(match wit::cache::get(cache, key, wait.map(millis))? {
        wit::cache::Found::Value(value) => Found::Value(value),
        wit::cache::Found::Compute => Found::Compute,
    })
}

pub(crate) fn cache_put(cache: &str, key: &str, value: &[u8], ttl: Duration) -> Result<(), CacheError> {
    wit::cache::put(cache, key, value, millis(ttl)).map_err(Into::into)
}

pub(crate) fn cache_forget(cache: &str, key: &str) -> Result<(), CacheError> {
    wit::cache::forget(cache, key).map_err(Into::into)
}

pub(crate) fn counter_add(counter: &str, key: &str, delta: i64, window: Duration) -> Result<i64, CounterError> {
    wit::counters::add(counter, key, delta, millis(window)).map_err(Into::into)
}

pub(crate) fn counter_take(
    counter: &str,
    key: &str,
    tokens: u32,
    capacity: u32,
    refill_per_second: f64,
) -> Result<Bucket, CounterError> {
    let bucket = wit::counters::take(counter, key, tokens, capacity, refill_per_second)?;
    let retry_after = Duration::from_millis(bucket.retry_after.into());
    Ok(Bucket {
        allowed: bucket.allowed,
        remaining: bucket.remaining,
        retry_after,
    })
}

pub(crate) fn http_send(request: &HttpRequest) -> Result<Response, HttpError> {
    wit::http_client::send(&outbound(request))
        .map(Into::into)
        .map_err(Into::into)
}

pub(crate) fn http_send_all(requests: &[HttpRequest]) -> Vec<Result<Response, HttpError>> {
    let requests: Vec<_> = requests.iter().map(outbound).collect();
    let answers = wit::http_client::send_all(&requests).into_iter();
    answers
        .map(|answer| answer.map(Into::into).map_err(Into::into))
        .collect()
}

fn outbound(request: &HttpRequest) -> wit::http_client::OutboundRequest {
    wit::http_client::OutboundRequest {
        method: request.method.clone(),
        url: request.url.clone(),
        fields: Fields::clone(&request.fields).into(),
        body: request.body.clone(),
        timeout: request.timeout.map(millis),
        max_response_bytes: request.max_response_bytes,
    }
}

impl From<Level> for wit::log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl From<wit::secrets::SecretError> for SecretError {
    fn from(error: wit::secrets::SecretError) -> Self {
        match error {
            wit::secrets::SecretError::NotGranted => Self::NotGranted,
            wit::secrets::SecretError::NotFound => Self::NotFound,
            wit::secrets::SecretError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<wit::kv::KvError> for KvError {
    fn from(error: wit::kv::KvError) -> Self {
        match error {
            wit::kv::KvError::NoSuchStore => Self::NoSuchStore,
            wit::kv::KvError::TooLarge => Self::TooLarge,
            wit::kv::KvError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<wit::cache::CacheError> for CacheError {
    fn from(error: wit::cache::CacheError) -> Self {
        match error {
            wit::cache::CacheError::NoSuchCache => Self::NoSuchCache,
            wit::cache::CacheError::TooLarge => Self::TooLarge,
            wit::cache::CacheError::Timeout => Self::Timeout,
            wit::cache::CacheError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<wit::counters::CounterError> for CounterError {
    fn from(error: wit::counters::CounterError) -> Self {
        match error {
            wit::counters::CounterError::NoSuchCounter => Self::NoSuchCounter,
            wit::counters::CounterError::BadRequest(text) => Self::BadRequest(text),
            wit::counters::CounterError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<wit::http_client::HttpError> for HttpError {
    fn from(error: wit::http_client::HttpError) -> Self {
        use wit::http_client::HttpError as Theirs;
        match error {
            Theirs::Forbidden => Self::Forbidden,
            Theirs::BadRequest(text) => Self::BadRequest(text),
            Theirs::RateLimited(wait) => Self::RateLimited(Duration::from_millis(wait.into())),
            Theirs::Dns(text) => Self::Dns(text),
            Theirs::Connect(text) => Self::Connect(text),
            Theirs::Tls(text) => Self::Tls(text),
            Theirs::Timeout => Self::Timeout,
            Theirs::TooLarge => Self::TooLarge,
            Theirs::Protocol(text) => Self::Protocol(text),
        }
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
