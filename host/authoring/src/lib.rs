//! Starting and building plugins, in every language: what `gatewright plugin new` and `gatewright plugin build` do.
//!
//! `new` writes a folder from templates that the binary carries (`files`). `build` finds out which language a folder is
//! in, runs that language's tool (`tool`), and makes a component of what comes out, where the tool does not
//! (`interface`). Each language is one file in `language`. Nothing here is on the way of a request, and nothing here
//! knows the gateway: only the plugin interface, `wit/`.

#![deny(missing_docs)]

mod building;
mod error;
mod files;
mod interface;
mod kind;
mod language;
mod name;
mod sections;
mod starting;
mod tool;

pub use building::Build;
pub use error::Error;
pub use kind::Kind;
pub use language::{Language, RustTarget};
pub use name::PluginName;
pub use starting::New;
