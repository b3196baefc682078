//! State in a Redis or Valkey server, or a cluster of them, that many gateways share.
//!
//! Each operation is one script, so it is one atomic step and one round trip; time is the server's, so gateways need not
//! agree on it. Keys are a prefix and digests: they are of one length whatever a client sends, and what clients send is not
//! readable in the server.
//!
//! - `connecting`: where the servers are, and connections to them
//! - `link`: the connection of one worker; `standing`: whether the servers can be used, for operators
//! - `scripts`: what they are asked; `lease`: what lasts

mod connecting;
mod lease;
mod link;
mod scripts;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::{
    Counted, Entry, Expected, Leased, Limit, PerWorker, Quota, Space, Spent, State, StateError, Step, Taken,
    TokenBucket,
};
use redis::{FromRedisValue, ScriptInvocation};

pub use self::connecting::{Address, Login, RedisSettings, Servers, Tls};
use self::link::Link;
use self::scripts::Scripts;
pub use self::standing::Standing;
use super::embedded::Count;
use crate::telemetry::StateMetrics;

/// State in a shared server.
pub struct Redis {
    /// Each worker has a connection of its own, over which its operations are pipelined.
    links: PerWorker<Arc<Link>>,
    settings: Arc<RedisSettings>,
    scripts: Arc<Scripts>,
    prefix: String,
}

impl Redis {
    /// State there. Connects when it is first asked.
    #[must_use]
    pub fn new(settings: RedisSettings, workers: usize, metrics: &StateMetrics) -> Self {
        let prefix = settings.prefix.clone();
        let settings = Arc::new(settings);
        Self {
            links: PerWorker::new(workers, |_| Arc::new(Link::new(&settings, metrics))),
            settings,
            scripts: Arc::default(),
            prefix,
        }
    }

    /// Finds out from now on whether the servers can be used, as long as somebody has the answer. Needs a runtime of tokio.
    #[must_use]
    pub fn watch(&self) -> Arc<Standing> {
        standing::watch(&self.settings)
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StateError> {
        self.links.local().run(script).await.map_err(StateError::Unavailable)
    }
}

/// What the server says of a quota.
pub(super) struct Told {
    pub(super) spent: Spent,
    pub(super) count: Count,
    /// It knew of less than the gateway.
    pub(super) restored: bool,
}

impl Redis {
    /// Spends from a quota, and tells the server what the gateway knows of it.
    pub(super) fn spend_from<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
        known: Option<Count>,
    ) -> Step<'a, Result<Told, StateError>> {
        let mut script = self.scripts.spend.key(self.quota_key(limit, key));
        let known = known.map_or([0; 4], |known| {
            [known.start, known.used, known.untold, known.corrections]
        });
        script
            .arg(quota.limit)
            .arg(quota.period.as_str())
            .arg(requests)
            .arg(&known);
        Step::waiting(async move { self.run(&script).await.map(|answer| told(answer, quota)) })
    }

    /// Sets what was spent. It counts for more than all corrections that the server or the gateway knows of.
    pub(super) fn set_spent<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
        known: Option<Count>,
    ) -> Step<'a, Result<Told, StateError>> {
        let mut script = self.scripts.correct.key(self.quota_key(limit, key));
        let known = known.map_or([0; 2], |known| [known.start, known.corrections]);
        script.arg(quota.limit).arg(quota.period.as_str()).arg(used).arg(&known);
        Step::waiting(async move { self.run(&script).await.map(|answer| told(answer, quota)) })
    }

    fn quota_key(&self, limit: Limit<'_>, key: &str) -> String {
        format!("{}:quota:{}", self.prefix, digest(&[limit.name, key]))
    }
}

impl State for Redis {
    fn take<'a>(&'a self, limit: Limit<'_>, key: &str, bucket: TokenBucket) -> Step<'a, Result<Taken, StateError>> {
        let key = format!("{}:limit:{}", self.prefix, digest(&[limit.name, key]));
        Step::waiting(async move {
            let mut script = self.scripts.take.key(key);
            script.arg(interval(bucket)).arg(bucket.burst).arg(1);
            self.run::<[u64; 4]>(&script).await.map(taken)
        })
    }

    fn spend<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        requests: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let asked = self.spend_from(limit, key, quota, requests, None);
        Step::waiting(async move { Ok(asked.await?.spent) })
    }

    fn correct<'a>(
        &'a self,
        limit: Limit<'_>,
        key: &str,
        quota: Quota,
        used: u64,
    ) -> Step<'a, Result<Spent, StateError>> {
        let asked = self.set_spent(limit, key, quota, used, None);
        Step::waiting(async move { Ok(asked.await?.spent) })
    }

    fn lease<'a>(&'a self, limit: Limit<'_>, key: &str, places: u64) -> Step<'a, Result<Leased, StateError>> {
        let key = format!("{}:places:{}", self.prefix, digest(&[limit.name, key]));
        Step::waiting(lease::lease(self.links.local(), &self.scripts, key, places))
    }

    fn take_many<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        tokens: u64,
        bucket: TokenBucket,
    ) -> Step<'a, Result<Taken, StateError>> {
        let mut script = self.scripts.take_many.prepare_invoke();
        // Windows and buckets of one name have nothing in common.
        self.address(&mut script, Family::Counters, space, &format!("b{key}"), true);
        script.arg(interval(bucket)).arg(bucket.burst).arg(tokens);
        Step::waiting(async move {
            let answer: Option<[u64; 4]> = self.run(&script).await?;
            answer.map(taken).ok_or(StateError::Full)
        })
    }

    fn add<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        delta: i64,
        window: Duration,
    ) -> Step<'a, Result<i64, StateError>> {
        let mut script = self.scripts.add.prepare_invoke();
        self.address(&mut script, Family::Counters, space, &format!("w{key}"), true);
        script.arg(delta).arg(milliseconds(window));
        Step::waiting(async move {
            let answer: Option<i64> = self.run(&script).await?;
            answer.ok_or(StateError::Full)
        })
    }

    fn get<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Entry>, StateError>> {
        let mut script = self.scripts.get.prepare_invoke();
        self.address(&mut script, Family::Entries, space, key, false);
        Step::waiting(async move {
            let found: Option<Bytes> = self.run(&script).await?;
            found.as_ref().map(entry).transpose()
        })
    }

    fn put<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        expected: Expected,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Step<'a, Result<Option<u64>, StateError>> {
        let mut script = self.scripts.put.prepare_invoke();
        // A session that is lost is worse than one that does not begin.
        self.address(&mut script, Family::Entries, space, key, false);
        match expected {
            Expected::Anything => script.arg("any"),
            Expected::Absent => script.arg("absent"),
            Expected::Revision(revision) => script.arg(revision),
        };
        script.arg(&value[..]);
        match ttl {
            Some(ttl) => script.arg(milliseconds(ttl)),
            None => script.arg(""),
        };
        Step::waiting(async move {
            let answer: Option<u64> = self.run(&script).await?;
            let revision = answer.ok_or(StateError::Full)?;
            Ok((revision > 0).then_some(revision))
        })
    }

    fn delete<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.remove(Family::Entries, space, key)
    }

    fn recall<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<Option<Bytes>, StateError>> {
        let mut script = self.scripts.get.prepare_invoke();
        self.address(&mut script, Family::Remembered, space, key, true);
        Step::waiting(async move {
            let found: Option<Bytes> = self.run(&script).await?;
            Ok(found.as_ref().map(entry).transpose()?.map(|entry| entry.value))
        })
    }

    fn remember<'a>(
        &'a self,
        space: Space<'_>,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Step<'a, Result<(), StateError>> {
        let mut script = self.scripts.put.prepare_invoke();
        self.address(&mut script, Family::Remembered, space, key, true);
        script.arg("any").arg(&value[..]).arg(milliseconds(ttl));
        Step::waiting(async move {
            let answer: Option<u64> = self.run(&script).await?;
            answer.map(|_| ()).ok_or(StateError::Full)
        })
    }

    fn forget<'a>(&'a self, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        self.remove(Family::Remembered, space, key)
    }
}

impl Redis {
    fn remove<'a>(&'a self, family: Family, space: Space<'_>, key: &str) -> Step<'a, Result<(), StateError>> {
        let mut script = self.scripts.delete.prepare_invoke();
        self.address(&mut script, family, space, key, false);
        Step::waiting(async move { self.run::<i64>(&script).await.map(|_| ()) })
    }

    /// Names a key of a space. What belongs to a space is in one slot of a cluster, so that it can be bounded.
    fn address(&self, script: &mut ScriptInvocation<'_>, family: Family, space: Space<'_>, key: &str, evicts: bool) {
        // What is between the braces decides where in a cluster a key is; the prefix has none.
        let (prefix, family) = (&self.prefix, family.name());
        let space_id = digest(&[space.owner, space.name]);
        for part in ["values", "ends", "facts"] {
            script.key(format!("{prefix}:{{{family}:{space_id}}}:{part}"));
        }
        script.arg(digest(&[key])).arg(space.bytes).arg(i32::from(evicts));
    }
}

/// What have nothing in common, whatever their names.
#[derive(Clone, Copy)]
enum Family {
    Counters,
    Entries,
    Remembered,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Entries => "kv",
            Self::Remembered => "cache",
        }
    }
}

/// A digest in hexadecimal digits.
fn digest(texts: &[&str]) -> String {
    super::digest(texts).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn interval(bucket: TokenBucket) -> u64 {
    u64::try_from(bucket.interval.as_nanos()).unwrap_or(u64::MAX).max(1)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn taken([allowed, remaining, retry_after, reset]: [u64; 4]) -> Taken {
    Taken {
        allowed: allowed == 1,
        remaining,
        retry_after: Duration::from_micros(retry_after),
        reset: Duration::from_micros(reset),
        counted: Counted::AsConfigured,
    }
}

fn told([allowed, used, start, end, reset, corrections, restored]: [u64; 7], quota: Quota) -> Told {
    Told {
        spent: Spent {
            allowed: allowed == 1,
            used,
            remaining: quota.limit.saturating_sub(used),
            reset: Duration::from_millis(reset),
            counted: Counted::AsConfigured,
        },
        count: Count {
            start,
            end,
            used,
            untold: 0,
            corrections,
        },
        restored: restored == 1,
    }
}

/// "REVISION:VALUE"
fn entry(text: &Bytes) -> Result<Entry, StateError> {
    let broken = || StateError::Unavailable("there is something else under a key of the gateway's".to_owned());
    let colon = text.iter().position(|byte| *byte == b':').ok_or_else(broken)?;
    let digits = std::str::from_utf8(text.get(..colon).unwrap_or_default());
    let revision = digits.ok().and_then(|digits| digits.parse().ok()).ok_or_else(broken)?;
    Ok(Entry {
        value: text.slice(colon + 1..),
        revision,
    })
}
