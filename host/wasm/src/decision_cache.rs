//! Decisions of authorizers that may be used again.
//!
//! A decision is kept under everything the plugin was shown when it decided: what is not in the key was not shown
//! (see [`crate::api::Shown`]). One for a single request is kept under its route, method and path too; one with a
//! policy is not, and its policy is asked again for each request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_core::Request;
use http::Version;
use moka::Expiry;
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::api::View;
use crate::decision::Decision;
use crate::digest::{Digest, update};

/// Bytes kept, about.
const WEIGHT: u64 = 16 << 20;
/// What an entry costs besides its decision.
const ENTRY_BYTES: usize = 256;
/// Nothing is kept for longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// All decisions of a process.
pub(crate) struct DecisionCache(Cache<Digest, Entry>);

#[derive(Clone)]
struct Entry {
    decision: Arc<Decision>,
    ttl: Duration,
}

struct Lifetime;

impl Expiry<Digest, Entry> for Lifetime {
    fn expire_after_create(&self, _: &Digest, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &Digest, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// Where the decision for one request is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// One that is valid for this route, method and path only.
    request: Digest,
    /// One with a policy.
    policy: Digest,
}

impl Keys {
    /// `runtime` stands for the plugin and its configuration, `sources` for what the values are values of.
    pub(crate) fn of(runtime: &Digest, sources: &Digest, identity: &[Option<&str>], view: &View<'_>) -> Self {
        let Request {
            method,
            host,
            target,
            version,
            ..
        } = view.request;
        let mut hash = Sha256::new();
        hash.update(runtime.bytes());
        hash.update(sources.bytes());
        update(&mut hash, host.as_bytes());
        hash.update([
            u8::from(view.request.secure),
            u8::from(view.client.tls),
            self::version(*version),
        ]);
        for value in identity {
            // Absent and empty are different, and so are ["a", "bc"] and ["ab", "c"].
            hash.update([u8::from(value.is_some())]);
            update(&mut hash, value.unwrap_or_default().as_bytes());
        }
        let policy = Digest::from(hash.clone().chain_update([0]));
        hash.update([1]);
        for part in [view.route, method.as_str(), target.path()] {
            update(&mut hash, part.as_bytes());
        }
        Self {
            request: Digest::from(hash),
            policy,
        }
    }
}

impl Keys {
    /// The one of this route, method and path.
    pub(crate) fn request(&self) -> &Digest {
        &self.request
    }
}

fn version(version: Version) -> u8 {
    match version {
        Version::HTTP_10 => 0,
        Version::HTTP_2 => 2,
        Version::HTTP_3 => 3,
        _ => 1,
    }
}

impl DecisionCache {
    pub(crate) fn new() -> Self {
        let weight =
            |_: &Digest, entry: &Entry| u32::try_from(entry.decision.bytes() + ENTRY_BYTES).unwrap_or(u32::MAX);
        Self(
            Cache::builder()
                .max_capacity(WEIGHT)
                .weigher(weight)
                .expire_after(Lifetime)
                .build(),
        )
    }

    /// The decision for this request, also one with a policy if there can be any.
    pub(crate) fn find(&self, keys: &Keys, policies: bool) -> Option<Arc<Decision>> {
        let policy = policies.then(|| self.0.get(&keys.policy)).flatten();
        policy.or_else(|| self.0.get(&keys.request)).map(|entry| entry.decision)
    }

    /// Keeps a decision. Of abstaining nothing is kept.
    pub(crate) fn keep(&self, keys: &Keys, decision: &Arc<Decision>, ttl: Duration) {
        let key = match &**decision {
            Decision::Abstain => return,
            Decision::Allow(grant) if !grant.policy.is_empty() => keys.policy,
            Decision::Allow(_) | Decision::Deny(_) => keys.request,
        };
        let ttl = ttl.min(LONGEST);
        if !ttl.is_zero() {
            self.0.insert(
                key,
                Entry {
                    decision: Arc::clone(decision),
                    ttl,
                },
            );
        }
    }

    pub(crate) fn purge(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Grant, Policy, Statement};
    use crate::testing;

    fn keys(identity: &[Option<&str>], edit: impl FnOnce(&mut gatewright_core::Exchange)) -> Keys {
        let mut exchange = testing::exchange();
        edit(&mut exchange);
        Keys::of(
            &Digest::of(b"runtime"),
            &Digest::of(b"sources"),
            identity,
            &View::of(&exchange),
        )
    }

    fn same(_: &mut gatewright_core::Exchange) {}

    fn grant(policy: Policy) -> Arc<Decision> {
        Arc::new(Decision::Allow(Grant {
            principal: "p".to_owned(),
            policy,
            ..Grant::default()
        }))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn no_two_different_identities_have_one_key() {
        let lists: [&[Option<&str>]; 6] = [
            &[Some("a"), Some("bc")],
            &[Some("ab"), Some("c")],
            &[Some("abc")],
            &[None],
            &[Some("")],
            &[None, None],
        ];
        for (index, one) in lists.iter().enumerate() {
            for other in lists.iter().skip(index + 1) {
                assert_ne!(keys(one, same), keys(other, same), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn allowed_for_one_path_method_route_host_or_scheme_is_not_allowed_for_another() {
        let cache = DecisionCache::new();
        let asked = keys(&[Some("t")], same);
        cache.keep(&asked, &grant(Policy::default()), MINUTE);
        assert!(cache.find(&asked, true).is_some());
        let others = [
            keys(&[Some("t")], |exchange| exchange.request.target = "/b".parse().unwrap()),
            keys(&[Some("t")], |exchange| exchange.request.method = http::Method::POST),
            keys(&[Some("t")], |exchange| exchange.route = "other".into()),
            keys(&[Some("t")], |exchange| exchange.request.host = "other".to_owned()),
            keys(&[Some("t")], |exchange| exchange.request.secure = true),
            keys(&[Some("u")], same),
        ];
        for other in others {
            assert!(cache.find(&other, true).is_none());
        }
    }

    #[test]
    fn the_query_is_not_part_of_the_key_because_it_is_not_shown() {
        let with_query = keys(&[None], |exchange| exchange.request.target = "/a?x=1".parse().unwrap());
        assert_eq!(with_query, keys(&[None], same));
    }

    #[test]
    fn a_grant_with_a_policy_is_found_from_other_paths_but_not_by_other_identities() {
        let cache = DecisionCache::new();
        let statement = Statement {
            allow: true,
            methods: vec!["GET".to_owned()],
            paths: vec!["/*".to_owned()],
        };
        cache.keep(&keys(&[Some("t")], same), &grant(Policy(vec![statement])), MINUTE);
        let elsewhere = keys(&[Some("t")], |exchange| exchange.request.target = "/b".parse().unwrap());
        assert!(cache.find(&elsewhere, true).is_some());
        assert!(cache.find(&keys(&[Some("u")], same), true).is_none());
    }

    #[test]
    fn nothing_is_kept_for_no_time_and_nothing_of_abstaining() {
        let cache = DecisionCache::new();
        let keys = keys(&[], same);
        cache.keep(&keys, &grant(Policy::default()), Duration::ZERO);
        cache.keep(&keys, &Arc::new(Decision::Abstain), MINUTE);
        assert!(cache.find(&keys, true).is_none());
    }

    #[test]
    fn entries_end_with_their_time() {
        let cache = DecisionCache::new();
        let keys = keys(&[], same);
        cache.keep(&keys, &grant(Policy::default()), Duration::from_millis(20));
        assert!(cache.find(&keys, false).is_some());
        std::thread::sleep(Duration::from_millis(40));
        assert!(cache.find(&keys, false).is_none());
    }
}
