//! State where its scope wants it: in this process, or in the server that gateways share; and what happens while that
//! one does not answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{
    Away, Counted, Entry, Expected, Lease, Leased, Limit, Quota, Scope, Space, Spent, State, StateError, Step, Taken,
    TokenBucket,
};

use super::digest;
use super::embedded::{Count, CountId, Embedded};
use super::redis::Redis;
use crate::telemetry::StateMetrics;

/// State of either scope.
pub struct Scoped {
    here: Embedded,
    shared: Option<Redis>,
    /// Whether the server answered the last time. What was counted without it is told only then: each attempt to tell it
    /// may arrive.
    answers: AtomicBool,
    metrics: StateMetrics,
}

impl Scoped {
    /// State here, and there if there is such a server.
    #[must_use]
    pub fn new(shared: Option<Redis>, metrics: StateMetrics) -> Self {
        Self {
            here: Embedded::default(),
            shared,
            answers: AtomicBool::new(true),
            metrics,
        }
    }

    /// The server; without one what belongs there cannot be asked for. A configuration that names none is refused before,
    /// unless one was added since the gateway started.
    fn shared(&self) -> Result<&Redis, StateError> {
        let missing = || StateError::Unavailable("`[redis]` takes effect when the gateway is restarted".to_owned());
        self.shared.as_ref().ok_or_else(missing)
    }

    /// What this gateway knows of quotas, to be written down; none when nothing was counted since it was asked for.
    pub(super) fn changed_counts(&self) -> Option<Vec<(CountId, Count)>> {
        self.here.changed_counts()
    }

    /// What was written down.
    pub fn restore(&self, counts: impl IntoIterator<Item = (CountId, Count)>) {
        self.here.restore(counts);
    }

    /// It could not be written down.
    pub(super) fn not_written(&self) {
        self.metrics.not_written();
    }

    /// What a limit comes to while the server does not answer.
    fn without<T>(
        &self,
        away: Away,
        reason: String,
        open: impl FnOnce() -> T,
        here: impl FnOnce() -> T,
    ) -> Result<T, StateError> {
        self.metrics.fell_back(away);
        match away {
            Away::Closed => Err(StateError::Unavailable(reason)),
            Away::Open => Ok(open()),
            Away::Local => Ok(here()),
        }
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
        let (name, key) = (limit.name.to_owned(), key.to_owned());
        Step::waiting(async move {
            let here = || Taken {
                counted: Counted::Locally,
                ..self.here.take_now(&name, &key, bucket)
            };
            match asked.await {
                Err(StateError::Unavailable(reason)) => self.without(away, reason, || unlimited(bucket), here),
                result => result,
            }
        })
    }

    fn spend<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let Scope::Cluster(away) = limit.scope else {
            return self.here.spend(limit, key, quota, requests);
        };
        let id = digest(&[limit.name, key]);
        let told = self.here.tell(&id, self.answers.load(Ordering::Relaxed));
        let asked = match self.shared() {
            Ok(shared) => shared.spend_from(limit, key, quota, requests, told),
            Err(error) => Step::ready(Err(error)),
        };
        let telling = Telling {
            here: &self.here,
            id,
            told,
        };
        Step::waiting(async move {
            match asked.await {
                Ok(answer) => {
                    telling.done();
                    self.answers.store(true, Ordering::Relaxed);
                    self.here.learn(id, answer.count);
                    if answer.restored {
                        self.metrics.restored();
                    }
                    Ok(answer.spent)
                }
                Err(StateError::Unavailable(reason)) => {
                    drop(telling);
                    self.answers.store(false, Ordering::Relaxed);
                    let here = || self.here.spend_untold(id, quota, requests);
                    self.without(away, reason, || unmetered(quota), here)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn correct<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let Scope::Cluster(_) = limit.scope else {
            return self.here.correct(limit, key, quota, used);
        };
        let id = digest(&[limit.name, key]);
        let asked = match self.shared() {
            Ok(shared) => shared.set_spent(limit, key, quota, used, self.here.tell(&id, false)),
            Err(error) => Step::ready(Err(error)),
        };
        Step::waiting(async move {
            let answer = asked.await?;
            self.here.learn(id, answer.count);
            Ok(answer.spent)
        })
    }

    fn lease<'a>(&'a self, limit: Limit<'_>, key: &str, places: u64) -> Step<'a, Result<Leased, StateError>> {
        let Scope::Cluster(away) = limit.scope else {
            return self.here.lease(limit, key, places);
        };
        let asked = match self.shared() {
            Ok(shared) => shared.lease(limit, key, places),
            Err(error) => Step::ready(Err(error)),
        };
        let (name, key) = (limit.name.to_owned(), key.to_owned());
        Step::waiting(async move {
            let here = || Leased {
                counted: Counted::Locally,
                ..self.here.lease_now(&name, &key, places)
            };
            match asked.await {
                Err(StateError::Unavailable(reason)) => self.without(away, reason, unbounded, here),
                result => result,
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

/// What asking for a place comes to while nobody counts.
fn unbounded() -> Leased {
    Leased {
        lease: Some(Lease::new(())),
        taken: 0,
        counted: Counted::NotAtAll,
    }
}

/// What spending comes to while nobody counts.
fn unmetered(quota: Quota) -> Spent {
    Spent {
        allowed: true,
        used: 0,
        remaining: quota.limit,
        reset: Duration::ZERO,
        counted: Counted::NotAtAll,
    }
}

/// What this gateway counted alone is on its way to the server. It is untold again unless the server has answered, also
/// when nobody waits for the answer any more: counted twice is better than not at all.
struct Telling<'a> {
    here: &'a Embedded,
    id: CountId,
    told: Option<Count>,
}

impl Telling<'_> {
    fn done(mut self) {
        self.told = None;
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            self.here.untell(&self.id, told);
        }
    }
}
