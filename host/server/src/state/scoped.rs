//! State where its scope wants it: in this process, or in the server that gateways share; and what happens while that
//! one does not answer.

use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{
    Away, Counted, Entry, Expected, Limit, Scope, Space, State, StateError, Step, Taken, TokenBucket,
};

use super::embedded::Embedded;
use super::redis::Redis;
use crate::telemetry::StateMetrics;

/// State of either scope.
pub struct Scoped {
    here: Embedded,
    shared: Option<Redis>,
    metrics: StateMetrics,
}

impl Scoped {
    /// State here, and there if there is such a server.
    #[must_use]
    pub fn new(shared: Option<Redis>, metrics: StateMetrics) -> Self {
        Self {
            here: Embedded::default(),
            shared,
            metrics,
        }
    }

    /// The server; without one what belongs there cannot be asked for. A configuration that names none is refused before,
    /// unless one was added since the gateway started.
    fn shared(&self) -> Result<&Redis, StateError> {
        let missing = || StateError::Unavailable("`[redis]` takes effect when the gateway is restarted".to_owned());
        self.shared.as_ref().ok_or_else(missing)
    }

    /// Runs an operation on a space where its scope says.
    fn run<'a, T: Send + 'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        operation: impl Fn(&'a dyn State, Space<'_>, &str) -> Step<'a, Result<T, StateError>> + Send + 'a,
    ) -> Step<'a, Result<T, StateError>> {
        let Scope::Cluster(away) = space.scope else {
            return operation(&self.here, space, key);
        };
        let asked = match self.shared() {
            Ok(shared) => operation(shared, space, key),
            Err(error) => Step::ready(Err(error)),
        };
        let (owner, name, key) = (space.owner.to_owned(), space.name.to_owned(), key.to_owned());
        let (bytes, scope) = (space.bytes, space.scope);
        Step::waiting(async move {
            match asked.await {
                Err(StateError::Unavailable(_)) if away == Away::Local => {
                    self.metrics.fell_back(away);
                    let space = Space {
                        owner: &owner,
                        name: &name,
                        bytes,
                        scope,
                    };
                    operation(&self.here, space, &key).await
                }
                Err(StateError::Unavailable(reason)) => {
                    self.metrics.fell_back(Away::Closed);
                    Err(StateError::Unavailable(reason))
                }
                result => result,
            }
        })
    }
}

impl State for Scoped {
    fn take<'a>(&'a self, limit: Limit<'_>, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        let Scope::Cluster(away) = limit.scope else {
            return self.here.take(limit, key, bucket);
        };
        let asked = match self.shared() {
            Ok(shared) => shared.take(limit, key, bucket),
            Err(error) => Step::ready(Err(error)),
        };
        let (name, scope, key) = (limit.name.to_owned(), limit.scope, key.to_owned());
        Step::waiting(async move {
            let reason = match asked.await {
                Err(StateError::Unavailable(reason)) => reason,
                result => return result,
            };
            self.metrics.fell_back(away);
            match away {
                Away::Closed => Err(StateError::Unavailable(reason)),
                Away::Open => Ok(unlimited(bucket)),
                Away::Local => {
                    let taken = self.here.take(Limit { name: &name, scope }, &key, bucket).await?;
                    Ok(Taken {
                        counted: Counted::Locally,
                        ..taken
                    })
                }
            }
        })
    }

    fn take_many<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
    ) -> Step<'a, Result<Taken, StateError>> {
        self.run(space, key, move |state, space, key| {
            state.take_many(space, key, tokens, bucket)
        })
    }

    fn add<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
    ) -> Step<'a, Result<i64, StateError>> {
        self.run(space, key, move |state, space, key| {
            state.add(space, key, delta, window)
        })
    }

    fn get<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Entry>, StateError>> {
        self.run(space, key, |state, space, key| state.get(space, key))
    }

    fn put<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>> {
        self.run(space, key, move |state, space, key| {
            state.put(space, key, expected, value.clone(), ttl)
        })
    }

    fn delete<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.run(space, key, |state, space, key| state.delete(space, key))
    }

    fn recall<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Bytes>, StateError>> {
        self.run(space, key, |state, space, key| state.recall(space, key))
    }

    fn remember<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Step<'a, Result<(), StateError>> {
        self.run(space, key, move |state, space, key| {
            state.remember(space, key, value.clone(), ttl)
        })
    }

    fn forget<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.run(space, key, |state, space, key| state.forget(space, key))
    }
}

/// What taking a token comes to while nobody counts.
fn unlimited(bucket: TokenBucket) -> Taken {
    Taken {
        allowed: true,
        remaining: bucket.burst,
        retry_after: Duration::ZERO,
        reset: Duration::ZERO,
        counted: Counted::NotAtAll,
    }
}
