//! What plugins may do to a gateway, and what they may not: rows P1–P30 of the fault catalogue, each with the guests of
//! `tests/guests` and real requests; and what well-behaved plugins are promised.

mod setup;

mod approvals;
mod bodies;
mod bounds;
mod candidates;
mod cases;
mod commands;
pub(crate) mod compiling;
mod compiling_apart;
mod configuring;
mod decisions;
mod files;
mod filters;
mod frozen;
mod given;
mod granted;
mod hostile_output;
mod languages;
mod large_output;
mod loading;
mod loops;
mod malformed;
mod memory;
mod numbers;
mod on_fault;
mod paths;
mod places;
mod projection;
mod proofs;
mod recordings;
mod replacing;
mod resting;
mod rollbacks;
mod scripted;
mod services;
mod signatures;
mod standard;
mod standard_p3;
mod start;
mod state;
mod store;
pub(crate) mod teaching;
mod traps;
