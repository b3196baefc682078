//! P24. Calls services in a loop. Expected: the log stays within its budget of lines and bytes per call, control
//! characters arrive escaped, series are bounded, the time limit holds although most of the time is spent in the host.
//!
//! Modes: `` (a million lines), `long` (one line of 8 MiB, again and again), `control` (one line with CR, LF, NUL, ESC and
//! a forged line), `fields` (a line with 100 000 fields), `clock` (two million looks at the clock), `random` (as many
//! 4096-byte draws), `series` (100 000 metric series), `names` (metric and label names that are none), `off`.

use std::hint::black_box;

use gatewright_sdk::{RequestHead, clock, log, metrics, random};
use misbehaving_guests::Settings;

struct Chatters {
    settings: Settings,
}

impl Chatters {
    fn act(&self, head: &RequestHead) {
        match self.settings.mode(head) {
            "off" => {}
            "long" => {
                let line = "x".repeat(8 << 20);
                (0..1000).for_each(|_| log::info(&line, &[]));
            }
            "control" => log::info(
                "a\r\n2026-01-01T00:00:00Z ERROR forged\0\u{1b}[2J",
                &[("k\n", "v\r\nv2=\"x\"")],
            ),
            "fields" => log::info("fields", &vec![("name", "value"); 100_000]),
            "clock" => (0..2_000_000).for_each(|_| _ = black_box(clock::unix())),
            "random" => (0..2_000_000).for_each(|_| drop(black_box(random::bytes(4096)))),
            "series" => (0..100_000).for_each(|n| metrics::add("series", 1, &[("n", &n.to_string())])),
            "names" => {
                metrics::add("a b\n# HELP", 1, &[("le\"", "x\n\"")]);
                metrics::set("", f64::NAN, &[("__name__", "y")]);
                metrics::observe("1", f64::INFINITY, &[]);
            }
            _ => (0..1_000_000).for_each(|_| log::info("again", &[("and", "again")])),
        }
    }
}

misbehaving_guests::every_kind!(Chatters, "chatters");
