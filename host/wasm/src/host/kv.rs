//! Key-value stores that the instances of a plugin share.

use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{Expected, Space, State, StateError};

use super::KEY_BYTES;
use super::asked::Asked;
use crate::api::bindings::gatewright::plugin::kv::{Entry, Host, KvError};
use crate::granted::scope;
use crate::metrics::{Answered, Service};
use crate::state::{CallState, Caller};

impl Host for CallState {
    async fn get(&mut self, store: String, key: String) -> wasmtime::Result<Result<Option<Entry>, KvError>> {
        let told = self.told("kv.get", &store, Some(&key));
        let caller = &self.caller;
        let got = async {
            let asked = Asked::by(caller, Service::Kv);
            let found = get(caller, &store, &key).await;
            asked.settled(found, |refusal, asked| refusal.into_error(asked, &store))
        };
        told.or(got).await
    }

    async fn set(
        &mut self,
        store: String,
        key: String,
        value: Vec<u8>,
        ttl: Option<u32>,
    ) -> wasmtime::Result<Result<u64, KvError>> {
        let told = self.told("kv.set", &store, Some(&key));
        let caller = &self.caller;
        let set = async {
            let asked = Asked::by(caller, Service::Kv);
            let put = put(caller, &store, &key, Expected::Anything, value, ttl).await;
            // With nothing expected, there always is a revision.
            let put = put.map(Option::unwrap_or_default);
            asked.settled(put, |refusal, asked| refusal.into_error(asked, &store))
        };
        told.or(set).await
    }

    async fn compare_and_set(
        &mut self,
        store: String,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl: Option<u32>,
    ) -> wasmtime::Result<Result<Option<u64>, KvError>> {
        let told = self.told("kv.compare-and-set", &store, Some(&key));
        let caller = &self.caller;
        let set = async {
            let asked = Asked::by(caller, Service::Kv);
            let expected = expected.map_or(Expected::Absent, Expected::Revision);
            let put = put(caller, &store, &key, expected, value, ttl).await;
            asked.settled(put, |refusal, asked| refusal.into_error(asked, &store))
        };
        told.or(set).await
    }

    async fn delete(&mut self, store: String, key: String) -> wasmtime::Result<Result<(), KvError>> {
        let told = self.told("kv.delete", &store, Some(&key));
        let caller = &self.caller;
        let gone = async {
            let asked = Asked::by(caller, Service::Kv);
            let deleted = delete(caller, &store, &key).await;
            asked.settled(deleted, |refusal, asked| refusal.into_error(asked, &store))
        };
        told.or(gone).await
    }
}

async fn get(caller: &Caller, store: &str, key: &str) -> Result<Option<Entry>, Refusal> {
    let Granted { state, space, .. } = granted(caller, store, key)?;
    let found = state.get(space, key).await?;
    Ok(found.map(|entry| Entry {
        value: entry.value.to_vec(),
        revision: entry.revision,
    }))
}

async fn put(
    caller: &Caller,
    store: &str,
    key: &str,
    expected: Expected,
    value: Vec<u8>,
    ttl: Option<u32>,
) -> Result<Option<u64>, Refusal> {
    let Granted {
        state,
        space,
        value_bytes,
    } = granted(caller, store, key)?;
    if value.len() as u64 > value_bytes || ttl == Some(0) {
        return Err(Refusal::TooLarge);
    }
    let ttl = ttl.map(|ttl| Duration::from_millis(ttl.into()));
    Ok(state.put(space, key, expected, Bytes::from(value), ttl).await?)
}

async fn delete(caller: &Caller, store: &str, key: &str) -> Result<(), Refusal> {
    let Granted { state, space, .. } = granted(caller, store, key)?;
    Ok(state.delete(space, key).await?)
}

/// Why nothing was done.
enum Refusal {
    NotGranted,
    TooLarge,
    Unavailable(StateError),
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Full => Self::TooLarge,
            error => Self::Unavailable(error),
        }
    }
}

impl Refusal {
    fn into_error(self, asked: Asked, store: &str) -> KvError {
        match self {
            Self::NotGranted => {
                asked.refused(store);
                KvError::NoSuchStore
            }
            Self::TooLarge => {
                asked.ended(Answered::Invalid);
                KvError::TooLarge
            }
            Self::Unavailable(error) => {
                asked.ended(Answered::Failed);
                KvError::Unavailable(error.to_string())
            }
        }
    }
}

/// A store that may be used.
struct Granted<'c> {
    state: &'c dyn State,
    space: Space<'c>,
    value_bytes: u64,
}

fn granted<'c>(caller: &'c Caller, store: &'c str, key: &str) -> Result<Granted<'c>, Refusal> {
    let grant = caller.limits.grants.kv.get(store).ok_or(Refusal::NotGranted)?;
    if key.len() > KEY_BYTES {
        return Err(Refusal::TooLarge);
    }
    let space = Space {
        owner: &caller.name,
        name: store,
        bytes: grant.bytes.0,
        scope: scope(grant.scope),
    };
    Ok(Granted {
        state: caller.granted.state()?,
        space,
        value_bytes: grant.value_bytes.0,
    })
}
