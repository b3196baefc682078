//! Random numbers fit for keys. Always granted.

use std::cell::RefCell;

use wasmtime_wasi::{Deterministic, Rng};

use super::taped::RandomNumber;
use crate::api::bindings::gatewright::plugin::random::Host;
use crate::state::CallState;

/// Most bytes at once.
const LONGEST: u32 = 4096;

thread_local! {
    /// A generator for keys, seeded by the system.
    static RANDOM: RefCell<Box<dyn Rng + Send>> = RefCell::new(wasmtime_wasi::thread_rng());
}

/// Numbers that are the same in every run, for tests of plugins: SplitMix64, again and again after 2 KiB.
pub(crate) fn seeded(seed: u64) -> Deterministic {
    let number = |index: u64| {
        let state = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    Deterministic::new((1..=256).flat_map(|index| number(index).to_le_bytes()).collect())
}

impl Host for CallState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        if length > LONGEST {
            return Err(wasmtime::Error::msg(format!(
                "random.bytes: at most {LONGEST} bytes at once"
            )));
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        let told = self.told("random.bytes", "", None);
        let length = bytes.len();
        let bytes = told.or_at_once(|| {
            match &mut self.seeded {
                Some(seeded) => seeded.fill_bytes(&mut bytes),
                None => RANDOM.with_borrow_mut(|random| random.fill_bytes(&mut bytes)),
            }
            bytes
        })?;
        if bytes.len() != length {
            let message = format!(
                "random.bytes: the script has {} bytes, {length} were asked for",
                bytes.len()
            );
            return Err(wasmtime::Error::msg(message));
        }
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        let told = self.told("random.number", "", None);
        let RandomNumber(number) = told.or_at_once(|| {
            RandomNumber(match &mut self.seeded {
                Some(seeded) => seeded.next_u64(),
                None => RANDOM.with_borrow_mut(|random| random.next_u64()),
            })
        })?;
        Ok(number)
    }
}
