//! The services a plugin may call, one module each. A plugin that does not use one does not import it, except for `log`,
//! where a panic says what it was.

pub mod cache;
pub mod clock;
pub mod counters;
pub mod http;
pub mod kv;
pub mod log;
pub mod metrics;
pub mod random;
pub mod secrets;
