//! Secrets by name. Linked, but no configuration grants one yet: every call is refused.

use crate::api::bindings::gatewright::plugin::secrets::{Host, SecretError};
use crate::state::CallState;

impl Host for CallState {
    fn get(&mut self, _name: String) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        Ok(Err(SecretError::NotGranted))
    }
}
