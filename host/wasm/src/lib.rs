//! WebAssembly plugins as stages and integrations of Gatewright. The only crate that names wasmtime.
#![deny(missing_docs)]

mod api {
    pub mod bindings;
}
pub mod error;
mod skeleton;

pub use error::{ConfigFault, PluginError, PluginFile};
pub use skeleton::*;
