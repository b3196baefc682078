//! WebAssembly plugins as stages and integrations of Gatewright. The only crate that names wasmtime.
//!
//! A [`PluginHost`] is one a process. [`PluginHost::load`] makes a [`Plugin`] of a file: it is read, checked, compiled
//! or taken from the compiled-code store (`loading`, `signature`, `compiler`, `artifacts`), linked with the host's services (`component`,
//! `host`) and asked what it is (`describing`). A plugin with one configuration is a `runtime`; stages and
//! integrations of routes with the same configuration share it, across reloads.
//!
//! On a request, `stage` and `integration` turn the exchange into arguments and the answer into changes (`api`, where
//! the types of the plugin interface end), and `Runtime::call` runs the guest: breaker, a place among the calls that
//! may run, an instance of its own (`instance`, or one that waits in its `pool`), wall time (`call`), processor time
//! (`ticker`), memory (`limits`). A failure costs that exchange and nothing else (`failure`). What authorizers decide
//! may be used again (`decision_cache`). Which bodies a plugin is given, and what of its configuration is secret, stands in
//! the schema of its configuration (`bodies`, `configuration`).

#![deny(missing_docs)]

mod api;
mod artifacts;
mod authorizer;
mod bodies;
mod breaker;
mod call;
mod compiler;
mod compiling;
mod component;
mod configuration;
mod decision;
mod decision_cache;
mod describing;
mod dialect;
mod digest;
mod engine;
mod error;
mod failure;
mod filter;
mod filtered_body;
mod granted;
mod host;
mod identity;
mod instance;
mod integration;
mod kind;
mod leases;
mod limits;
mod loading;
mod log_gate;
mod machine;
mod metrics;
mod observer;
mod outbound;
mod plugin;
mod plugin_host;
mod pool;
mod proxy;
mod recording;
mod runtime;
pub mod schema_words;
pub mod signature;
mod stage;
mod state;
mod summary;
mod tape;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod ticker;
mod turns;

pub use artifacts::CodeStore;
pub use bodies::{BodyRules, GivenBodies};
pub use compiler::{CompileLimits, Compiler, compile_for_parent};
pub use compiling::{CompileWatcher, Compiling};
pub use describing::measure;
pub use error::{ConfigFault, PluginError, PluginFile};
pub use granted::{Granted, Secret, scope};
pub use kind::PluginKind;
pub use metrics::{CallStats, LastTrap, RouteReport, RuntimeStats};
pub use observer::{Observer, Statement};
pub use outbound::{HttpClient, Outbound, OutboundError, Sending};
pub use plugin::{Plugin, StageUse};
pub use plugin_host::{CallObserver, HostSettings, Loading, PluginHost};
pub use recording::{RecordedChunk, RecordedLimits, RecordedRequest, RecordedResponse, RecordedService, Recording};
pub use signature::Trust;
pub use summary::{FieldsSummary, NeedsSummary, PluginSummary};
pub use tape::{Divergence, Script};
