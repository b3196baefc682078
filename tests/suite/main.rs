//! The whole-gateway tests: one binary, one module for each subject, each test named after the rule it protects.
//!
//! A name that begins with a letter and a number is a row of the fault catalogue: `cargo test -p gatewright-tests
//! --test suite -- c1_` runs what protects that row.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod setup;

mod admin;
mod api_key;
mod authority;
mod cli;
mod config;
mod cors;
mod documents;
mod explain;
mod forwarded;
mod framing;
mod headers;
mod http2;
mod http2_faults;
mod ip;
mod leaving;
mod limits;
mod listeners;
mod memory;
mod messages;
mod paths;
mod pipelining;
mod plugins;
mod process;
mod records;
mod reload;
mod routing;
mod shared_state;
mod slow;
mod smoke;
mod throttle;
mod upstream;
mod vectors;
