//! The Gatewright server: from an accepted connection through a route's chain to an integration and back.
//!
//! A request's way, in the order of the files: [`listener::accept`], [`listener::connection`], [`gateway`],
//! [`admission`], [`router`], [`chain`], [`stages`], [`integrations`], [`upstream`], [`answer`]. What stands around
//! it: [`process`] starts and stops, [`assemble`] turns a configuration into a [`gateway::Gateway`], [`reload`]
//! notices changes, [`admin`] shows what goes on.

#![deny(missing_docs)]

pub mod access_log;
pub mod admin;
pub mod admission;
pub mod alarm;
pub mod answer;
pub mod approval;
pub mod aside;
pub mod assemble;
pub mod body_start;
pub mod cache;
pub mod candidate;
pub mod chain;
pub mod cli;
pub mod codings;
pub mod date;
pub mod descriptors;
pub mod drain;
pub mod explain;
pub mod fields;
pub mod files;
pub mod forwarded;
pub mod gateway;
pub mod iam;
pub mod integrations;
mod json;
pub mod limit;
pub mod listener;
pub mod live;
pub mod login;
pub mod noting;
pub mod passwords;
pub mod pieces;
pub mod plan;
pub mod process;
pub mod received;
pub mod reload;
pub mod repeats;
pub mod router;
pub mod secret;
pub mod shedding;
pub mod stages;
pub mod state;
pub mod status;
pub mod streams;
pub mod telemetry;
pub mod token;
pub mod trailers;
pub mod trial;
pub mod upstream;
pub mod usage;
pub mod versions;
pub mod via;
pub mod warnings;
pub mod watch;
pub mod words;
pub mod workers;
