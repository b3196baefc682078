//! What plugins may rely on: the interface of a version as it was frozen, and components that were built for it.
//! `docs/plugins/compatibility.md` is the promise; `cargo xtask freeze` makes what is in `tests/frozen`.

mod components;
mod interface;
mod shapes;
mod versions;

use std::path::PathBuf;

use gatewright_tests::guests::root;

/// The version that this gateway serves.
const VERSION: &str = "0.1";

fn folder() -> PathBuf {
    root().join("tests/frozen").join(VERSION)
}
