//! What plugins may do to a gateway, and what they may not: rows P1–P30 of the fault catalogue, each with the guests of
//! `tests/guests` and real requests; and what well-behaved plugins are promised.

mod setup;

//X mod commands;
//X mod compiling;
//X mod configuring;
//X mod decisions;
//X mod files;
//X mod hostile_output;
//X mod loading;
mod loops;
mod memory;
mod on_fault;
//X mod paths;
//X mod places;
//X mod projection;
//X mod replacing;
//X mod resting;
//X mod services;
//X mod start;
//X mod state;
//X mod store;
//X mod teaching;
mod traps;
