//! The time. Always granted.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::api::bindings::gatewright::plugin::clock::Host;
use crate::metrics::nanos;
use crate::state::CallState;

impl Host for CallState {
    fn unix_nanos(&mut self) -> wasmtime::Result<u64> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let told = self.told("clock.unix-nanos", "", None);
        told.or_at_once(|| nanos(self.caller.granted.time.unwrap_or_else(now)))
    }

    fn monotonic_nanos(&mut self) -> wasmtime::Result<u64> {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let elapsed = || ORIGIN.get_or_init(Instant::now).elapsed();
        let told = self.told("clock.monotonic-nanos", "", None);
        told.or_at_once(|| nanos(self.caller.granted.time.unwrap_or_else(elapsed)))
    }
}
