//! Counters shared by the instances of a plugin. Linked, but no configuration grants one yet: every call is refused.

use crate::api::bindings::gatewright::plugin::counters::{Bucket, CounterError, Host};
use crate::state::CallState;

impl Host for CallState {
    fn add(
        &mut self,
        _counter: String,
        _key: String,
        _delta: i64,
        _window: u32,
    ) -> wasmtime::Result<Result<i64, CounterError>> {
        Ok(Err(CounterError::NoSuchCounter))
    }

    fn take(
        &mut self,
        _counter: String,
        _key: String,
        _tokens: u32,
        _capacity: u32,
        _refill_per_second: f64,
    ) -> wasmtime::Result<Result<Bucket, CounterError>> {
        Ok(Err(CounterError::NoSuchCounter))
    }
}
