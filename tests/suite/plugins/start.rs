//! What a gateway with three plugins takes when nobody asks it for anything, and how long it takes to start.

use std::time::{Duration, Instant};

use gatewright_tests::{TestProcess, http};

use super::setup::heavy;
use super::teaching;
use crate::memory::resident_bytes;

const MIB: usize = 1 << 20;
/// The promises are made for a release; tests run a build whose own crates are not optimised.
const DEVELOPMENT: u32 = 3;

/// A process with the demo's configuration, and the time until it served. Twice in one folder the second is warm.
fn start(store: &std::path::Path) -> (TestProcess, Duration) {
    // Nobody listens there: these tests never ask the origin.
    let config = teaching::config("http://127.0.0.1:9");
    let plugins = "directory = \"plugins\"";
    let stored = format!("{plugins}\nstore = \"{}\"", store.display());
    let config = config.replace(plugins, &stored);
    let files = teaching::files();
    let began = Instant::now();
    let process = TestProcess::start_in(files, &config, &[]).unwrap();
    (process, began.elapsed())
}

#[test]
fn a_warm_start_is_quick_and_an_idle_gateway_small() {
    let _heavy = heavy();
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (process, cold) = start(&store);
    drop(process);
    let mut times: Vec<_> = (0..4).map(|_| start(&store).1).collect();
    times.sort_unstable();
    let (process, _) = start(&store);
    let warm = times[1];
    let idle = resident_bytes(process.pid());
    for path in ["/", "/quote?quantity=1"] {
        assert_eq!(http(process.addr("public"), "GET", path, &[], b"").status, 200);
    }
    let used = resident_bytes(process.pid());
    eprintln!(
        "measured, development build, three plugins: start cold {cold:?}, warm {warm:?} (of {times:?}); \
         resident idle {:.1} MiB, after first requests {:.1} MiB",
        idle as f64 / MIB as f64,
        used as f64 / MIB as f64
    );
    assert!(warm < Duration::from_millis(200) * DEVELOPMENT, "{warm:?}");
    assert!(used < 60 * MIB * DEVELOPMENT as usize, "{} MiB", used / MIB);
    let plugins = http(process.admin(), "GET", "/plugins", &[], b"").json();
    assert!(
        plugins["plugins"]
            .as_array()
            .unwrap()
            .iter()
            .all(|plugin| plugin["loaded"] == true),
        "{plugins}"
    );
}
