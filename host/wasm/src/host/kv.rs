//! Key-value stores. Linked, but no configuration grants one yet: every call is refused.

use crate::api::bindings::gatewright::plugin::kv::{Entry, Host, KvError};
use crate::state::CallState;

impl Host for CallState {
    fn get(&mut self, _store: String, _key: String) -> wasmtime::Result<Result<Option<Entry>, KvError>> {
        Ok(Err(KvError::NoSuchStore))
    }

    fn set(
        &mut self,
        _store: String,
        _key: String,
        _value: Vec<u8>,
        _ttl: Option<u32>,
    ) -> wasmtime::Result<Result<u64, KvError>> {
        Ok(Err(KvError::NoSuchStore))
    }

    fn compare_and_set(
        &mut self,
        _store: String,
        _key: String,
        _expected: Option<u64>,
        _value: Vec<u8>,
        _ttl: Option<u32>,
    ) -> wasmtime::Result<Result<Option<u64>, KvError>> {
        Ok(Err(KvError::NoSuchStore))
    }

    fn delete(&mut self, _store: String, _key: String) -> wasmtime::Result<Result<(), KvError>> {
        Ok(Err(KvError::NoSuchStore))
    }
}
