//! The modules of one author, while others are being written.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod admin;
mod cli;
mod config;
mod memory;
mod process;
mod reload;
mod upstream;
