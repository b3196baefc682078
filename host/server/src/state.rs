//! Engines that keep the state which stages and plugins share, and which of them keeps what.

pub mod embedded;
pub mod opening;
pub mod redis;
pub mod scoped;
