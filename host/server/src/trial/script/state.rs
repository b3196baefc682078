//! State of a case: the embedded one with its clock stopped, and what the case says of it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{
    Entry, Expected, Leased, Limit, Quota, Space, Spent, State, StateError, Step, Taken, TokenBucket,
};

use super::lock;
use crate::state::embedded::Embedded;

/// Tokens by counter and key.
type Tokens = BTreeMap<String, BTreeMap<String, u32>>;

/// State with contents.
pub(super) struct Contents {
    kept: Embedded,
    /// Why it does not answer.
    away: Mutex<Option<String>>,
    /// Tokens left in buckets that have not been used yet: how large they are only the plugin knows.
    tokens: Mutex<Tokens>,
}

impl Contents {
    pub(super) fn new(tokens: &Tokens) -> Self {
        Self {
            kept: Embedded::standing_still(),
            away: Mutex::default(),
            tokens: Mutex::new(tokens.clone()),
        }
    }

    /// What there is, whether it answers or not.
    pub(super) fn kept(&self) -> &Embedded {
        &self.kept
    }

    /// From now on it does not answer.
    pub(super) fn leave(&self, reason: &str) {
        *lock(&self.away) = Some(reason.to_owned());
    }

    /// What it does, unless it is away.
    fn ask<'a, T>(
        &'a self,
        step: impl FnOnce(&'a Embedded) -> Step<'a, Result<T, StateError>>,
    ) -> Step<'a, Result<T, StateError>> {
        match &*lock(&self.away) {
            Some(reason) => Step::ready(Err(StateError::Unavailable(reason.clone()))),
            None => step(&self.kept),
        }
    }
}

impl State for Contents {
    fn take<'a>(&'a self, limit: Limit<'_>, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        self.kept.take(limit, key, bucket)
    }

    fn spend<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        self.kept.spend(limit, key, quota, requests)
    }

    fn correct<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        self.kept.correct(limit, key, quota, used)
    }

    fn lease<'a>(&'a self, limit: Limit<'_>, key: &str, places: u64) -> Step<'a, Result<Leased, StateError>> {
        self.kept.lease(limit, key, places)
    }

    fn take_many<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
    ) -> Step<'a, Result<Taken, StateError>> {
        self.ask(|kept| {
            let left = lock(&self.tokens).get_mut(space.name).and_then(|keys| keys.remove(key));
            if let Some(left) = left {
                let gone = bucket.burst.saturating_sub(left.into());
                // Done at once: this state is in memory.
                drop(kept.take_many(space, key, gone, bucket));
            }
            kept.take_many(space, key, tokens, bucket)
        })
    }

    fn add<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
    ) -> Step<'a, Result<i64, StateError>> {
        self.ask(|kept| kept.add(space, key, delta, window))
    }

    fn get<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Entry>, StateError>> {
        self.ask(|kept| kept.get(space, key))
    }

    fn put<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>> {
        self.ask(|kept| kept.put(space, key, expected, value, ttl))
    }

    fn delete<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.ask(|kept| kept.delete(space, key))
    }

    fn recall<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Bytes>, StateError>> {
        self.ask(|kept| kept.recall(space, key))
    }

    fn remember<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Step<'a, Result<(), StateError>> {
        self.ask(|kept| kept.remember(space, key, value, ttl))
    }

    fn forget<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.ask(|kept| kept.forget(space, key))
    }
}
