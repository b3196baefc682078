//! The whole-gateway tests: one binary, one module for each subject, each test named after the rule it protects.
//! `docs/` and `faults.md` name the rules; `cargo test -p gatewright-tests --test suite -- c1_` runs one row's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod smoke;
