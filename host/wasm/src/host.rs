//! What the host offers to plugins: the services of the plugin interface, one file each, and WASI with nothing in it.
//!
//! Everything is linked for every plugin, because some languages import everything whether they use it or not. What
//! a plugin may not use refuses each call; only what the host does not know at all is an error at load.

mod asked;
mod cache;
mod clock;
mod counters;
mod http_client;
mod kv;
mod log;
mod metrics;
mod outgoing;
mod printed;
pub(crate) mod random;
mod secrets;
mod taped;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

pub(crate) use log::LogBudget;
pub(crate) use outgoing::Outgoing;
pub(crate) use printed::Printed;

use crate::api::bindings::{Host_, gatewright};
use crate::engine::Concurrency;
use crate::state::CallState;

/// Longest key of counters, stores and caches.
const KEY_BYTES: usize = 512;

/// The linker that all plugins of an engine are linked with.
///
/// # Errors
/// When two services have the same name: a defect of this crate.
pub(crate) fn linker(engine: &Engine, concurrency: Concurrency) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    // What a component for 0.3 is built with may use 0.2 as well.
    if concurrency == Concurrency::On {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    Host_::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// The interface `types` has no functions.
impl gatewright::plugin::types::Host for CallState {}
