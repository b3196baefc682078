//! The stages of a chain, one a file.

mod api_key;
mod cors;
mod headers;
mod ip;
mod plugin;
mod throttle;

pub use api_key::ApiKeyStage;
pub use cors::CorsStage;
pub use headers::{HeaderEdits, HeadersStage};
pub use ip::IpStage;
pub use plugin::PluginStage;
pub use throttle::ThrottleStage;
