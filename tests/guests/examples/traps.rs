//! P5, P6, and the second of P23. Traps in a hook. Expected: a fault of this call only, the instance is not used again,
//! the trap counter and the log name plugin and version.
//!
//! Modes: `` (executes `unreachable`), `panic`, `divide` (by zero), `out-of-bounds`, `abort` (out of memory), `off`.

use std::hint::black_box;

use gatewright_sdk::RequestHead;
use misbehaving_guests::Settings;

struct Traps {
    settings: Settings,
}

impl Traps {
    fn act(&self, head: &RequestHead) {
        match self.settings.mode(head) {
            "off" => {}
            "panic" => panic!("asked to panic"),
            "divide" => drop(black_box(divide(black_box(1), black_box(0)))),
            "out-of-bounds" => drop(black_box(read(black_box(0xffff_fff0)))),
            "abort" => drop(black_box(Vec::<u8>::with_capacity(isize::MAX as usize))),
            _ => trap(),
        }
    }
}

fn divide(a: i32, b: i32) -> i32 {
    // SAFETY: none. Rust would check for zero; here WebAssembly shall.
    unsafe { std::hint::assert_unchecked(b != 0) };
    a / b
}

fn read(address: usize) -> u8 {
    // SAFETY: none. The address is beyond every memory a plugin can have.
    unsafe { std::ptr::without_provenance::<u8>(address).read_volatile() }
}

#[cfg(target_family = "wasm")]
fn trap() {
    std::arch::wasm32::unreachable()
}

#[cfg(not(target_family = "wasm"))]
fn trap() {
    std::process::abort()
}

misbehaving_guests::every_kind!(Traps, "traps");
