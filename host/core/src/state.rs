//! State that exchanges share: what limits have seen. One trait, so that a stage does not know whether its counts are
//! kept in this process or in a store that many gateways share.

use std::time::Duration;

use bytes::Bytes;

use crate::Step;

/// Who shares what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The requests of this gateway.
    #[default]
    Instance,
    /// The requests of all gateways that use the same store.
    Cluster(Away),
}

/// What is done while the store of all gateways does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Away {
    /// Nothing is limited.
    Open,
    /// What needs the store is refused.
    Closed,
    /// Each gateway counts and keeps for itself.
    Local,
}

/// Buckets that belong together: those of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit<'a> {
    /// Its name; limits of different names have nothing in common.
    pub name: &'a str,
    /// Who shares them.
    pub scope: Scope,
}

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
    /// Who counted.
    pub counted: Counted,
}

/// A calendar period in UTC, as people and bills count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// From minute 0.
    Hour,
    /// From midnight.
    Day,
    /// From Sunday, as Amazon API Gateway counts weeks.
    Week,
    /// From the first day.
    Month,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// As configurations, stores and logs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// How many requests there may be in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// So many.
    pub limit: u64,
    /// In each of these.
    pub period: Period,
}

/// What spending from a quota came to: decision and remainder come from the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// There was enough left.
    pub allowed: bool,
    /// What has been spent in this period.
    pub used: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Until the next period begins.
    pub reset: Duration,
    /// Who counted.
    pub counted: Counted,
}

/// What asking for a place came to.
pub struct Leased {
    /// The place, or none when all are taken.
    pub lease: Option<Lease>,
    /// Places that are taken now, this one included.
    pub taken: u64,
    /// Who counted.
    pub counted: Counted,
}

/// One of the places of a limit, given back when this is dropped. A gateway that dies gives its places back too, a
/// stated time later where others share them.
pub struct Lease(#[expect(dead_code, reason = "kept to be dropped")] Box<dyn Send + Sync>);

impl Lease {
    /// A place that `guard` gives back when it is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

/// Who counted what a limit has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Whoever has to, by the limit's scope.
    AsConfigured,
    /// This gateway alone, because the store of all gateways does not answer.
    Locally,
    /// Nobody, for the same reason: there is no limit for now.
    NotAtAll,
}

/// Where the entries of one owner are kept. Nobody else's operations see them, whatever keys they use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space<'a> {
    /// Whose it is: a plugin's name.
    pub owner: &'a str,
    /// Its name among the owner's.
    pub name: &'a str,
    /// What its entries may take together, keys and a store's own needs included.
    pub bytes: u64,
    /// Who shares them.
    pub scope: Scope,
}

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// Grows with each change of the key, also when it was deleted in between.
    pub revision: u64,
}

/// What must hold for a value to be put under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// There is no such key.
    Absent,
    /// The key has this revision.
    Revision(u64),
}

/// Why an operation was not done. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The space has no room for it.
    #[error("no room is left")]
    Full,
    /// The store cannot be asked.
    #[error("the state store does not answer: {0}")]
    Unavailable(String),
}

/// Keeps state for stages and plugins. Each operation is one atomic step: what it answers is what it did, and no other
/// operation comes in between.
pub trait State: Send + Sync {
    /// Takes one token from the bucket of `key` in `limit`. One that has not been used for as long as it takes to fill
    /// it is as good as new.
    ///
    /// # Errors
    /// When the store cannot be asked, and the limit is closed then.
    fn take<'a>(&'a self, limit: Limit<'_>, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, StateError>>;

    /// Spends from what a key has in the current period, if there is enough left. With 0 it only looks.
    ///
    /// # Errors
    /// When the store cannot be asked, and the limit is closed then.
    fn spend<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
    ) -> Step<'a, Result<Spent, StateError>>;

    /// Says what a key has spent in the current period, whatever was counted: an operator's correction.
    ///
    /// # Errors
    /// When the store cannot be asked, whatever the limit says of that.
    fn correct<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
    ) -> Step<'a, Result<Spent, StateError>>;

    /// Takes one of so many places of `key` in `limit`, if one is free.
    ///
    /// # Errors
    /// When the store cannot be asked, and the limit is closed then.
    fn lease<'a>(&'a self, limit: Limit<'_>, key: &str, places: u64) -> Step<'a, Result<Leased, StateError>>;

    /// Takes so many tokens, all or none, from a bucket of an owner's. With 0 it only looks.
    ///
    /// # Errors
    /// When the store cannot be asked. A space that is full forgets the bucket that is nearest to full.
    fn take_many<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
    ) -> Step<'a, Result<Taken, StateError>>;

    /// Adds to a count and returns its new value. The first one begins a window, at whose end the count is gone. What
    /// does not fit into a number stays at its bound.
    ///
    /// # Errors
    /// When the store cannot be asked. A space that is full forgets the count that is nearest to its end.
    fn add<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
    ) -> Step<'a, Result<i64, StateError>>;

    /// The entry of a key; none when there is none, or its time is over.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn get<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Entry>, StateError>>;

    /// Puts a value under a key, if what is expected of it holds, for so long or until it is deleted. The new revision,
    /// or none when it does not hold.
    ///
    /// # Errors
    /// When the space is full of entries whose time is not over, and when the store cannot be asked.
    fn put<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>>;

    /// Deletes a key, if it is there.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn delete<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>>;

    /// What is remembered under a key; none when there is nothing, its time is over, or it made room. Has nothing in
    /// common with what [`State::get`] finds.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn recall<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Bytes>, StateError>>;

    /// Remembers a value for so long, or for shorter: a space that is full forgets the value that is nearest to its end.
    ///
    /// # Errors
    /// When the value does not fit into the space alone, and when the store cannot be asked.
    fn remember<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Step<'a, Result<(), StateError>>;

    /// Forgets what is remembered under a key, if there is something.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn forget<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>>;
}
