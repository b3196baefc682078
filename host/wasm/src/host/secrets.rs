//! Secrets by name, as they were when the plugin was loaded.

use super::taped::SecretValue;
use crate::api::bindings::gatewright::plugin::secrets::{Host, SecretError};
use crate::metrics::{Answered, Service};
use crate::state::CallState;

impl Host for CallState {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, SecretError>> {
        let told = self.told("secrets.get", &name, None);
        let value = told.or_at_once(|| {
            let asked = self.asked(Service::Secrets);
            let Some(secret) = self.caller.granted.secrets.get(&name) else {
                asked.refused(&name);
                return Err(SecretError::NotGranted);
            };
            asked.ended(Answered::Ok);
            Ok(SecretValue(secret.bytes().to_vec()))
        });
        Ok(value?.map(|SecretValue(value)| value))
    }
}
