//! Engines that keep the state which stages share.

pub mod embedded;
