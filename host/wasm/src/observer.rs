//! What tests of plugins see of them that clients do not.

use std::time::Duration;

pub use crate::decision::Statement;

/// Is told what a plugin does. Called in the middle of its calls: must not wait.
pub trait Observer: Send + Sync {
    /// It asked a service for what it may not have.
    fn refused(&self, service: &'static str, what: &str);

    /// As an authorizer it decided: for how long, if it said so, and with which policy.
    fn decided(&self, ttl: Option<Duration>, policy: &[Statement]);
}
