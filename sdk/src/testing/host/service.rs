//! The services themselves: the native counterpart of `host::gateway`, function by function.

use std::time::Duration;

use super::memory::{Cache, Counter, Store, with};
use super::{Level, LogLine};
use crate::Response;
use crate::cache::{CacheError, Found};
use crate::counters::{Bucket, CounterError};
use crate::http::{HttpError, HttpRequest};
use crate::kv::{Entry, KvError};
use crate::secrets::SecretError;

pub(crate) fn log_enabled(_level: Level) -> bool {
    true
}

pub(crate) fn log_write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    with(|host| {
        host.logs.push(LogLine {
            level,
            message: message.to_owned(),
            fields,
        })
    });
}

pub(crate) fn unix_nanos() -> u64 {
    with(|host| nanos(host.unix))
}

pub(crate) fn monotonic_nanos() -> u64 {
    with(|host| nanos(host.monotonic))
}

pub(crate) fn random_bytes(length: u32) -> Vec<u8> {
    std::iter::repeat_with(random_number)
        .flat_map(u64::to_le_bytes)
        .take(length as usize)
        .collect()
}

/// SplitMix64: short, and good enough to tell values apart.
pub(crate) fn random_number() -> u64 {
    with(|host| {
        host.random = host.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (host.random ^ (host.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn metric_add(name: &str, delta: u64, _labels: &[(&str, &str)]) {
    with(|host| *host.metrics.entry(name.to_owned()).or_default() += delta as f64);
}

pub(crate) fn metric_set(name: &str, value: f64, _labels: &[(&str, &str)]) {
    with(|host| host.metrics.insert(name.to_owned(), value));
}

pub(crate) fn metric_observe(name: &str, value: f64, _labels: &[(&str, &str)]) {
    with(|host| *host.metrics.entry(name.to_owned()).or_default() += value);
}

pub(crate) fn secret(name: &str) -> Result<Vec<u8>, SecretError> {
    with(|host| host.secrets.get(name).cloned()).ok_or(SecretError::NotGranted)
}

pub(crate) fn kv_get(store: &str, key: &str) -> Result<Option<Entry>, KvError> {
    with_store(store, |store, now| Ok(store.alive(key, now).cloned()))
}

pub(crate) fn kv_set(store: &str, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64, KvError> {
    with_store(store, |store, now| {
        storable(key, ttl)?;
        Ok(store.put(key, value, ttl.map(|ttl| now + ttl)))
    })
}

pub(crate) fn kv_compare_and_set(
    store: &str,
    key: &str,
    expected: Option<u64>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<u64>, KvError> {
    with_store(store, |store, now| {
        storable(key, ttl)?;
        let found = store.alive(key, now).map(|entry| entry.revision);
        Ok((found == expected).then(|| store.put(key, value, ttl.map(|ttl| now + ttl))))
    })
}

pub(crate) fn kv_delete(store: &str, key: &str) -> Result<(), KvError> {
    with_store(store, |store, _now| {
        store.entries.remove(key);
        Ok(())
    })
}

pub(crate) fn cache_get(cache: &str, key: &str, _wait: Option<Duration>) -> Result<Found, CacheError> {
    with_cache(cache, key, |cache, now| {
        let alive = cache.values.get(key).filter(|(_, until)| now < *until);
        match alive {
            Some((value, _)) => Ok(Found::Value(value.clone())),
            // Nobody else will put it: the wait is over at once.
            None if cache.elsewhere.contains(key) => Err(CacheError::Timeout),
            None => Ok(Found::Compute),
        }
    })
}

pub(crate) fn cache_put(cache: &str, key: &str, value: &[u8], ttl: Duration) -> Result<(), CacheError> {
    with_cache(cache, key, |cache, now| {
        cache.values.insert(key.to_owned(), (value.to_owned(), now + ttl));
        Ok(())
    })
}

pub(crate) fn cache_forget(cache: &str, key: &str) -> Result<(), CacheError> {
    with_cache(cache, key, |cache, _now| {
        cache.values.remove(key);
        Ok(())
    })
}

pub(crate) fn counter_add(counter: &str, key: &str, delta: i64, window: Duration) -> Result<i64, CounterError> {
    with_counter(counter, key, 0.0, |counter, now| {
        if now.saturating_sub(counter.since) >= window {
            *counter = Counter {
                since: now,
                window: 0,
                ..*counter
            };
        }
        counter.window += delta;
        counter.window
    })
}

pub(crate) fn counter_take(
    counter: &str,
    key: &str,
    tokens: u32,
    capacity: u32,
    refill_per_second: f64,
) -> Result<Bucket, CounterError> {
    with_counter(counter, key, capacity.into(), |counter, now| {
        let refilled = now.saturating_sub(counter.since).as_secs_f64() * refill_per_second;
        counter.tokens = (counter.tokens + refilled).min(capacity.into());
        counter.since = now;
        let missing = f64::from(tokens) - counter.tokens;
        let allowed = missing <= 0.0;
        if allowed {
            counter.tokens -= f64::from(tokens);
        }
        let retry_after = Duration::try_from_secs_f64(missing.max(0.0) / refill_per_second).unwrap_or(Duration::MAX);
        Bucket {
            allowed,
            remaining: counter.tokens as u64,
            retry_after,
        }
    })
}

pub(crate) fn http_send(request: &HttpRequest) -> Result<Response, HttpError> {
    let answer = with(|host| host.http.clone()).ok_or(HttpError::Forbidden)?;
    answer(request)
}

pub(crate) fn http_send_all(requests: &[HttpRequest]) -> Vec<Result<Response, HttpError>> {
    requests.iter().map(http_send).collect()
}

impl Store {
    fn alive(&self, key: &str, now: Duration) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|(_, until)| until.is_none_or(|until| now < until))
            .map(|(entry, _)| entry)
    }

    fn put(&mut self, key: &str, value: &[u8], until: Option<Duration>) -> u64 {
        self.revision += 1;
        let entry = Entry {
            value: value.to_owned(),
            revision: self.revision,
        };
        self.entries.insert(key.to_owned(), (entry, until));
        self.revision
    }
}

/// What the gateway refuses whatever the store's limits are.
fn storable(key: &str, ttl: Option<Duration>) -> Result<(), KvError> {
    if key.len() > 512 || ttl == Some(Duration::ZERO) {
        return Err(KvError::TooLarge);
    }
    Ok(())
}

fn with_store<T>(store: &str, act: impl FnOnce(&mut Store, Duration) -> Result<T, KvError>) -> Result<T, KvError> {
    with(|host| {
        let now = host.monotonic;
        let store = host.stores.get_mut(store).ok_or(KvError::NoSuchStore)?;
        match &host.away {
            Some(reason) => Err(KvError::Unavailable(reason.clone())),
            None => act(store, now),
        }
    })
}

fn with_cache<T>(
    cache: &str,
    key: &str,
    act: impl FnOnce(&mut Cache, Duration) -> Result<T, CacheError>,
) -> Result<T, CacheError> {
    with(|host| {
        let now = host.monotonic;
        let cache = host.caches.get_mut(cache).ok_or(CacheError::NoSuchCache)?;
        if key.len() > 512 {
            return Err(CacheError::TooLarge);
        }
        match &host.away {
            Some(reason) => Err(CacheError::Unavailable(reason.clone())),
            None => act(cache, now),
        }
    })
}

fn with_counter<T>(
    counter: &str,
    key: &str,
    tokens: f64,
    act: impl FnOnce(&mut Counter, Duration) -> T,
) -> Result<T, CounterError> {
    with(|host| {
        let now = host.monotonic;
        let keys = host.counters.get_mut(counter).ok_or(CounterError::NoSuchCounter)?;
        if let Some(reason) = &host.away {
            return Err(CounterError::Unavailable(reason.clone()));
        }
        Ok(act(
            keys.entry(key.to_owned()).or_insert(Counter {
                since: now,
                window: 0,
                tokens,
            }),
            now,
        ))
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
