//! The one place where services leave the plugin: to the gateway on WebAssembly, to [`testing::host`](crate::testing::host)
//! everywhere else. Both sides have the same functions, so the modules in `services/` do not know which it is.

#[cfg(target_family = "wasm")]
mod gateway;

#[cfg(target_family = "wasm")]
pub(crate) use gateway::*;

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::host::service::*;
