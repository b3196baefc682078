//! Random numbers fit for keys. Always granted.

use std::cell::RefCell;

use wasmtime_wasi::Rng;

use crate::api::bindings::gatewright::plugin::random::Host;
use crate::state::CallState;

/// Most bytes at once.
const LONGEST: u32 = 4096;

thread_local! {
    /// A generator for keys, seeded by the system.
    static RANDOM: RefCell<Box<dyn Rng + Send>> = RefCell::new(wasmtime_wasi::thread_rng());
}

impl Host for CallState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        if length > LONGEST {
            return Err(wasmtime::Error::msg(format!(
                "random.bytes: at most {LONGEST} bytes at once"
            )));
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        RANDOM.with_borrow_mut(|random| random.fill_bytes(&mut bytes));
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        Ok(RANDOM.with_borrow_mut(|random| random.next_u64()))
    }
}
