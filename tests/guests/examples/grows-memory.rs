//! P3. Takes memory without end. Expected: the growth is denied at the plugin's limit, the call ends as a fault, the
//! process stays within its own limit.
//!
//! Modes: `` (1 MiB at a time, kept), `at-once` (asks for 1 GiB), `touch-limit` (takes 12 MiB, gives it back, answers),
//! `off`.

use gatewright_sdk::RequestHead;
use misbehaving_guests::Settings;

struct Grows {
    settings: Settings,
}

impl Grows {
    fn act(&self, head: &RequestHead) {
        match self.settings.mode(head) {
            "off" => {}
            "touch-limit" => drop(std::hint::black_box(vec![1_u8; 12 << 20])),
            "at-once" => drop(std::hint::black_box(vec![0_u8; 1 << 30])),
            _ => {
                let mut kept = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
        }
    }
}

misbehaving_guests::every_kind!(Grows, "grows-memory");
