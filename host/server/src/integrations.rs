//! Integrations: what answers a route. One kind a file; plugins that answer live in `gatewright-wasm`.

pub mod http;
pub mod respond;
pub mod template;
pub mod unavailable;
