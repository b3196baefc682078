//! The time. Always granted.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::api::bindings::gatewright::plugin::clock::Host;
use crate::metrics::nanos;
use crate::state::CallState;

impl Host for CallState {
    fn unix_nanos(&mut self) -> wasmtime::Result<u64> {
        if let Some(time) = self.caller.granted.time {
            return Ok(nanos(time));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(nanos(now))
    }

    fn monotonic_nanos(&mut self) -> wasmtime::Result<u64> {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let elapsed = || ORIGIN.get_or_init(Instant::now).elapsed();
        Ok(nanos(self.caller.granted.time.unwrap_or_else(elapsed)))
    }
}
