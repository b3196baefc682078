//! Write plugins for the Gatewright API gateway in Rust.
//!
//! A plugin is a type that implements [`Plugin`] (what it is, how it is configured) and one or more kinds:
//! [`Authorizer`], [`RequestTransform`], [`ResponseTransform`], [`BodyFilter`], [`Integration`]. [`plugin!`] exports it.
//! Build it with `cargo build --release --target wasm32-unknown-unknown`, drop the `.wasm` into the gateway's plugin folder, and
//! name it in a route's chain.
//!
//! ```
//! use gatewright_sdk::prelude::*;
//!
//! struct Sesame;
//!
//! impl Plugin for Sesame {
//!     fn info() -> Info {
//!         info!().request_fields(["authorization"])
//!     }
//!     fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
//!         config::none(config).map(|()| Self)
//!     }
//! }
//!
//! impl Authorizer for Sesame {
//!     fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
//!         Ok(match request.header("authorization") {
//!             Some("Bearer sesame") => Grant::to("ali-baba").into(),
//!             _ => Denial::unauthorized("Bearer", "wrong word").into(),
//!         })
//!     }
//! }
//!
//! plugin!(Sesame: authorizer);
//!
//! # fn main() {
//! // In a unit test, natively:
//! use gatewright_sdk::testing::{self, TestRequest};
//! let plugin: Sesame = testing::configure("{}");
//! let decision = TestRequest::get("/cave").header("authorization", "Bearer sesame").authorize(&plugin);
//! assert!(matches!(decision, Ok(Decision::Allow(grant)) if grant.principal == "ali-baba"));
//! # }
//! ```
//!
//! Calls of the gateway are plain functions: [`log`], [`clock`], [`random`], [`metrics`], [`kv`], [`cache`], [`counters`],
//! [`secrets`], [`http`]. What a plugin does not use it does not import, except for [`log`]: a panic writes its message there.
//!
//! Feature `json`: typed configuration ([`config::parse`](config)) and JSON bodies.

#[doc(hidden)]
pub mod bindings;
pub mod config;
mod convert;
mod export;
mod host;
mod kinds;
mod macros;
pub mod memory;
#[cfg(target_family = "wasm")]
mod panics;
mod services;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod types;

pub use kinds::*;
pub use services::*;
pub use types::*;

/// Everything a plugin usually names.
pub mod prelude {
    pub use crate::{
        AuthorizeRequest, Authorizer, BodyEdit, BodyFilter, BodyMode, ConfigError, Decision, Denial, Direction, Fault,
        FieldSelection, Fields, Filter, FilterInput, Grant, Info, Integration, IntegrationRequest, Part, Plugin,
        RequestEdits, RequestOutcome, RequestTransform, Response, ResponseEdits, ResponseOutcome, ResponseTransform,
        Reuse, Service, TransformRequest, TransformResponse, Value, cache, clock, config, counters, http, info, kv,
        log, metrics, plugin, random, secrets,
    };
}

/// The examples of the README, which are tests too.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// For the macros only.
#[doc(hidden)]
pub mod __private {
    pub use crate::export::{Exported, Instance};
}
