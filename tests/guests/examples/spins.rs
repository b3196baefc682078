//! A slow plugin: computes for as many milliseconds as the header `x-spin-ms` says, with a look at the clock now and
//! then. Expected: as long as that is within the limit the answer comes, and neighbours keep their latency.

use std::time::Duration;

use gatewright_sdk::{RequestHead, clock};
use misbehaving_guests::Settings;

struct Spins {
    settings: Settings,
}

impl Spins {
    fn act(&self, head: &RequestHead) {
        let asked = head.header("x-spin-ms").unwrap_or(&self.settings.mode);
        let end = clock::monotonic() + Duration::from_millis(asked.parse().unwrap_or(0));
        while clock::monotonic() < end {
            for step in 0..20_000_u32 {
                std::hint::black_box(step);
            }
        }
    }
}

misbehaving_guests::every_kind!(Spins, "spins");
