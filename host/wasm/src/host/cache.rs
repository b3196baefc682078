//! Values that one call computes for all: kept by the same engine as other state, computed once in this process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{Space, State, StateError};

use super::KEY_BYTES;
use super::asked::Asked;
use crate::api::bindings::gatewright::plugin::cache::{CacheError, Found, Host};
use crate::granted::scope;
use crate::leases::{Joined, Lease, Subject, Told};
use crate::metrics::{Answered, PluginStats, Service};
use crate::state::{CallState, Caller};

/// Values that others wait for and one call is to compute. Beyond that it is told to compute, and nobody waits.
const LEASES: usize = 64;

impl Host for CallState {
    async fn get(
        &mut self,
        cache: String,
        key: String,
        wait: Option<u32>,
    ) -> wasmtime::Result<Result<Found, CacheError>> {
        let told = self.told("cache.get", &cache, Some(&key));
        let got = async {
            let asked = self.asked(Service::Cache);
            let found = get(self, &cache, &key, wait).await;
            let found = found.map(|found| found.map_or(Found::Compute, |value| Found::Value(value.to_vec())));
            asked.settled(found, |refusal, asked| refusal.into_error(asked, &cache))
        };
        told.or(got).await
    }

    async fn put(
        &mut self,
        cache: String,
        key: String,
        value: Vec<u8>,
        ttl: u32,
    ) -> wasmtime::Result<Result<(), CacheError>> {
        let told = self.told("cache.put", &cache, Some(&key));
        let kept = async {
            let asked = self.asked(Service::Cache);
            let put = put(self, &cache, &key, value.into(), ttl).await;
            asked.settled(put, |refusal, asked| refusal.into_error(asked, &cache))
        };
        told.or(kept).await
    }

    async fn forget(&mut self, cache: String, key: String) -> wasmtime::Result<Result<(), CacheError>> {
        let told = self.told("cache.forget", &cache, Some(&key));
        let gone = async {
            let asked = self.asked(Service::Cache);
            let forgotten = forget(self, &cache, &key).await;
            asked.settled(forgotten, |refusal, asked| refusal.into_error(asked, &cache))
        };
        told.or(gone).await
    }
}

/// The value, or none when this call is to compute it.
async fn get(call: &mut CallState, cache: &str, key: &str, wait: Option<u32>) -> Result<Option<Bytes>, Refusal> {
    let caller = Arc::clone(&call.caller);
    let Granted {
        state,
        space,
        subject,
        waiting,
        ..
    } = granted(&caller, cache, key)?;
    if let Some(value) = state.recall(space, key).await? {
        caller.stats.cache_hit();
        return Ok(Some(value));
    }
    // Who computes does not wait: others may wait for it.
    let computes = !call.leases.is_empty();
    if call.leases.len() >= LEASES {
        caller.stats.cache_miss();
        return Ok(None);
    }
    let waiting = if computes || wait == Some(0) { 0 } else { waiting };
    match caller.leases.join(subject, waiting) {
        Joined::Lease(lease) => {
            // Whoever had it before may have put the value since it was looked for.
            let found = state.recall(space, key).await?;
            match found {
                Some(_) => caller.stats.cache_hit(),
                None => call.compute(lease),
            }
            Ok(found)
        }
        Joined::Waiting(place) => {
            let _waits = Waits::begin(&caller.stats);
            let told = match wait {
                Some(wait) => tokio::time::timeout(Duration::from_millis(wait.into()), place.told()).await,
                None => Ok(place.told().await),
            };
            match told {
                Ok(Some(Told::Value(value))) => {
                    caller.stats.cache_shared();
                    Ok(Some(value))
                }
                Ok(Some(Told::Lease(lease))) => {
                    call.compute(lease);
                    Ok(None)
                }
                Ok(None) | Err(_) => Err(Refusal::Timeout),
            }
        }
        Joined::Full if computes => {
            caller.stats.cache_miss();
            Ok(None)
        }
        Joined::Full if wait == Some(0) => Err(Refusal::Timeout),
        Joined::Full => Err(Refusal::Crowded),
    }
}

async fn put(call: &mut CallState, cache: &str, key: &str, value: Bytes, ttl: u32) -> Result<(), Refusal> {
    let caller = Arc::clone(&call.caller);
    let Granted {
        state,
        space,
        subject,
        value_bytes,
        ..
    } = granted(&caller, cache, key)?;
    if value.len() as u64 > value_bytes {
        return Err(Refusal::TooLarge);
    }
    let kept = match ttl {
        0 => state.forget(space, key).await,
        ttl => {
            let ttl = Duration::from_millis(ttl.into());
            state.remember(space, key, value.clone(), ttl).await
        }
    };
    if let Err(StateError::Full) = kept {
        return Err(Refusal::TooLarge);
    }
    // Those who wait need the value, not the store.
    caller.leases.answer(&subject, &value);
    done(&mut call.leases, &subject);
    Ok(kept?)
}

async fn forget(call: &mut CallState, cache: &str, key: &str) -> Result<(), Refusal> {
    let caller = Arc::clone(&call.caller);
    let Granted {
        state, space, subject, ..
    } = granted(&caller, cache, key)?;
    let forgotten = state.forget(space, key).await;
    done(&mut call.leases, &subject);
    Ok(forgotten?)
}

fn done(leases: &mut Vec<Lease>, subject: &Subject) {
    leases.retain(|lease| !lease.is_for(subject));
}

impl CallState {
    /// A value is for this call to compute.
    fn compute(&mut self, lease: Lease) {
        self.caller.stats.cache_miss();
        self.leases.push(lease);
    }
}

/// Counts a call that waits, for as long as it does.
struct Waits<'c>(&'c PluginStats);

impl<'c> Waits<'c> {
    fn begin(stats: &'c PluginStats) -> Self {
        stats.cache_wait_began();
        Self(stats)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.cache_wait_ended();
    }
}

/// Why nothing was done.
enum Refusal {
    NotGranted,
    TooLarge,
    Timeout,
    Crowded,
    Unavailable(StateError),
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        Self::Unavailable(error)
    }
}

impl Refusal {
    fn into_error(self, asked: Asked, cache: &str) -> CacheError {
        match self {
            Self::NotGranted => {
                asked.refused(cache);
                CacheError::NoSuchCache
            }
            Self::TooLarge => {
                asked.ended(Answered::Invalid);
                CacheError::TooLarge
            }
            Self::Timeout => {
                asked.ended(Answered::Failed);
                CacheError::Timeout
            }
            Self::Crowded => {
                asked.ended(Answered::Failed);
                CacheError::Unavailable("as many calls wait for values of the cache as may".to_owned())
            }
            Self::Unavailable(error) => {
                asked.ended(Answered::Failed);
                CacheError::Unavailable(error.to_string())
            }
        }
    }
}

/// A cache that may be used.
struct Granted<'c> {
    state: &'c dyn State,
    space: Space<'c>,
    subject: Subject,
    value_bytes: u64,
    waiting: usize,
}

fn granted<'c>(caller: &'c Caller, cache: &'c str, key: &str) -> Result<Granted<'c>, Refusal> {
    let grant = caller.limits.grants.cache.get(cache).ok_or(Refusal::NotGranted)?;
    if key.len() > KEY_BYTES {
        return Err(Refusal::TooLarge);
    }
    Ok(Granted {
        state: caller.granted.state()?,
        space: Space {
            owner: &caller.name,
            name: cache,
            bytes: grant.bytes.0,
            scope: scope(grant.scope),
        },
        subject: Subject::new(&caller.name, cache, key),
        value_bytes: grant.value_bytes.0,
        waiting: grant.waiting,
    })
}
