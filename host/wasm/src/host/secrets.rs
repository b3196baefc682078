//! Secrets by name, as they were when the plugin was loaded.

use crate::api::bindings::gatewright::plugin::secrets::{Host, SecretError};
use crate::metrics::{Answered, Service};
use crate::state::CallState;

impl Host for CallState {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        let asked = self.asked(Service::Secrets);
        let Some(secret) = self.caller.granted.secrets.get(&name) else {
            asked.refused(&name);
            return Ok(Err(SecretError::NotGranted));
        };
        asked.ended(Answered::Ok);
        Ok(Ok(secret.bytes().to_vec()))
    }
}
