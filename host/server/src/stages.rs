//! Built-in stages, one a file, each with the same parts in the same order: type, `Stage`, constructor, tests.

pub mod api_key;
pub mod cors;
pub mod headers;
pub mod ip;
pub mod throttle;
pub mod unavailable;
