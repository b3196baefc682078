//! The time. `std::time` does not work in a plugin for `wasm32-unknown-unknown`; this does everywhere.

use std::time::Duration;

use crate::host;

/// Time since 1970-01-01T00:00:00Z; may step back.
pub fn unix() -> Duration {
    Duration::from_nanos(host::unix_nanos())
}

/// Time since an arbitrary point; never steps back. Comparable within one instance only.
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::monotonic_nanos())
}
