//! P4. Recurses without end. Expected: a trap, a fault, the process lives.
//!
//! Modes: `` (frames on the WebAssembly stack only), `frames` (large frames on the stack in linear memory), `off`.

use std::hint::black_box;

use gatewright_sdk::RequestHead;
use misbehaving_guests::Settings;

struct Recurses {
    settings: Settings,
}

impl Recurses {
    fn act(&self, head: &RequestHead) {
        match self.settings.mode(head) {
            "off" => {}
            "frames" => drop(black_box(with_frames(1))),
            _ => drop(black_box(without_frames(1))),
        }
    }
}

#[inline(never)]
fn without_frames(depth: u64) -> u64 {
    if depth == 0 {
        0
    } else {
        without_frames(depth + 1).wrapping_mul(31) + depth
    }
}

#[inline(never)]
fn with_frames(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    if depth == 0 {
        0
    } else {
        with_frames(depth + 1).wrapping_add(frame[(depth % 128) as usize])
    }
}

misbehaving_guests::every_kind!(Recurses, "recurses");
