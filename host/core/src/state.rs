//! State that exchanges share: what limits have seen. One trait, so that a stage does not know whether its counts are
//! kept in this process or in a store that many gateways share.

use std::time::Duration;

use crate::{Problem, Step};

/// A token bucket: refilled at a steady rate, up to a burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenBucket {
    /// Time in which one token is refilled.
    pub interval: Duration,
    /// Tokens there are at most, at least 1.
    pub burst: u64,
}

/// What taking a token came to: decision and remainder come from the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// There was a token.
    pub allowed: bool,
    /// Tokens that are left.
    pub remaining: u64,
    /// Until there is a token again; zero while there is one.
    pub retry_after: Duration,
    /// Until the bucket is full.
    pub reset: Duration,
}

/// Keeps state for stages.
pub trait State: Send + Sync {
    /// Takes one token from the bucket of `key` in `limit`. Buckets of different limits have nothing in common, and
    /// one that has not been used for as long as it takes to fill it is as good as new.
    ///
    /// # Errors
    /// When the store cannot be asked, and its policy is to refuse then.
    fn take<'a>(&'a self, limit: &str, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, Problem>>;
}
