//! P1. Never comes back from a hook. Expected: interrupted at the plugin's time limit, the fault policy answers, other
//! requests keep their latency, `/health` answers.
//!
//! Modes: `` (loop at once), `off` (do nothing), `memory` (loop over bulk copies, which are not interruptible inside).

use gatewright_sdk::RequestHead;
use misbehaving_guests::Settings;

struct Loops {
    settings: Settings,
}

impl Loops {
    fn act(&self, head: &RequestHead) {
        match self.settings.mode(head) {
            "off" => {}
            "memory" => {
                let mut bytes = vec![0_u8; 8 << 20];
                loop {
                    std::hint::black_box(&mut bytes).copy_within(1.., 0);
                }
            }
            _ => loop {
                std::hint::spin_loop();
            },
        }
    }
}

misbehaving_guests::every_kind!(Loops, "loops-in-hook");
