//! P2, P16. Fails in `configure`. Expected: the new version or configuration is refused with the plugin's own words,
//! what served before goes on.
//!
//! Modes (configuration only): `` (accepts), `loop`, `panic`, `errors` (two, at `/mode` and at the root), `many` (10 000),
//! `rude` (control characters and 1 MiB of text), `memory` (grows without end).

use gatewright_sdk::prelude::*;
use misbehaving_guests::Settings;

struct Fails {
    settings: Settings,
}

impl Plugin for Fails {
    fn info() -> Info {
        misbehaving_guests::about("fails-in-configure")
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        let settings = Settings::read(config)?;
        match settings.mode.as_str() {
            "loop" => loop {
                std::hint::spin_loop();
            },
            "panic" => panic!("this plugin cannot be configured"),
            "errors" => Err(vec![
                ConfigError::new("/mode", "`errors` is not a mode anybody wants"),
                ConfigError::new("", "and the rest does not fit either"),
            ]),
            "many" => Err((0..10_000)
                .map(|n| ConfigError::new(format!("/{n}"), "wrong"))
                .collect()),
            "rude" => Err(vec![ConfigError::new(
                "/\u{1b}[31m\r\n",
                format!("\0\r\n\u{1b}[2J{}", "x".repeat(1 << 20)),
            )]),
            "memory" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            _ => Ok(Self { settings }),
        }
    }
}

impl Fails {
    fn act(&self, _head: &gatewright_sdk::RequestHead) {
        assert_ne!(self.settings.mode, "unreachable");
    }
}

misbehaving_guests::every_hook!(Fails);
