//! Keys that are fetched from their issuer: in the background before they are too old, once more when a token names a key
//! that is not there, one fetch at a time, and not again at once after one that failed. The last good keys are used as long
//! as no others can be had, up to a stated age.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use gatewright_config::{FetchedKeysConfig, KeyOrigin, MetadataOrigin, WebUrl};
use http::StatusCode;
use serde_json::Value;
use tokio::sync::watch;

use super::issuers::authorities;
use super::json;
use super::key_set::KeySet;
use crate::telemetry::IssuerMetrics;
use crate::upstream::gateway_client::{Ask, GatewayClient};

/// What a fetch may take, and what a request waits for one at most. As Amazon API Gateway's.
pub const FETCH_TIME: Duration = Duration::from_millis(1500);
/// The largest answer that is read. As Amazon API Gateway's.
const FETCH_BYTES: usize = 150_000;
/// How long after a fetch that failed there is no other: doubled with every one that fails, up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keys of one issuer, shared by all who verify its tokens, across reloads.
pub struct KeySource {
    pub(super) config: FetchedKeysConfig,
    pub(super) authorities: Option<Vec<u8>>,
    pub(super) client: GatewayClient,
    metrics: IssuerMetrics,
    held: ArcSwapOption<Held>,
    state: Mutex<State>,
    /// Counts fetches that have ended, and wakes those who wait for one.
    ended: watch::Sender<u64>,
}

/// Why keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They should be younger.
    Age,
    /// There are none, or they are too old to be used.
    Missing,
    /// A token names one that is not there.
    UnknownKey,
}

/// The last good keys.
struct Held {
    keys: Arc<KeySet>,
    /// What the issuer says of itself; null where only its keys are known.
    metadata: Arc<Value>,
    since: Instant,
}

#[derive(Default)]
struct State {
    is_fetching: bool,
    /// After a fetch that failed no other begins before.
    not_before: Option<Instant>,
    /// For an unknown key no fetch begins before: whoever makes names up must not have the issuer asked each time.
    not_for_unknown_before: Option<Instant>,
    /// Fetches that have failed since one that did not.
    failures: u32,
}

impl KeySource {
    pub(super) fn new(config: &FetchedKeysConfig, client: GatewayClient, metrics: IssuerMetrics) -> Self {
        Self {
            config: config.clone(),
            authorities: authorities(config.ca.as_ref()),
            client,
            metrics,
            held: ArcSwapOption::empty(),
            state: Mutex::default(),
            ended: watch::Sender::default(),
        }
    }

    /// The keys, if there are some that are not too old.
    pub fn keys(&self, now: Instant) -> Option<Arc<KeySet>> {
        self.good(now, |held| Arc::clone(&held.keys))
    }

    /// What the issuer says of itself, if that is not too old.
    pub fn metadata(&self, now: Instant) -> Option<Arc<Value>> {
        self.good(now, |held| Arc::clone(&held.metadata))
    }

    fn good<T>(&self, now: Instant, part: impl FnOnce(&Held) -> T) -> Option<T> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let is_good = now.saturating_duration_since(held.since) < self.config.max_stale;
        is_good.then(|| part(held))
    }

    /// Begins a fetch if there are no keys, or they should be younger.
    pub(super) fn refresh(self: &Arc<Self>, now: Instant) {
        let is_due = |held: &Arc<Held>| now.saturating_duration_since(held.since) >= self.config.refresh;
        if self.held.load().as_ref().is_none_or(is_due) {
            drop(self.begin(Reason::Age, now));
        }
    }

    /// Waits until a fetch has ended, this one's or one that is under way. Returns at once while there may be none.
    pub async fn fetched(self: &Arc<Self>, why: Reason, deadline: Instant) {
        let now = Instant::now();
        if let Some(mut ended) = self.begin(why, now) {
            let patience = deadline.min(now + FETCH_TIME);
            let _ = tokio::time::timeout_at(patience.into(), ended.changed()).await;
        }
    }

    /// Tells when the fetch ends that is under way, or begins now; none while there may be none.
    fn begin(self: &Arc<Self>, why: Reason, now: Instant) -> Option<watch::Receiver<u64>> {
        let mut state = self.state();
        if !state.is_fetching {
            if state.not_before.is_some_and(|time| now < time) {
                return None;
            }
            // They have come since somebody has looked.
            if why == Reason::Missing && self.keys(now).is_some() {
                return None;
            }
            if why == Reason::UnknownKey {
                if state.not_for_unknown_before.is_some_and(|time| now < time) {
                    return None;
                }
                state.not_for_unknown_before = Some(now + self.config.cooldown);
            }
            state.is_fetching = true;
            // Not a part of the request that it is for, which may be given up.
            let fetching = Fetching(Arc::clone(self));
            tokio::spawn(async move { fetching.run().await });
        }
        Some(self.ended.subscribe())
    }

    async fn fetch(&self) -> Result<(KeySet, Value), String> {
        let deadline = Instant::now() + FETCH_TIME;
        let (url, metadata) = match &self.config.origin {
            KeyOrigin::Jwks(url) => (url.clone(), Value::Null),
            KeyOrigin::Metadata(origin) => {
                let metadata = metadata(&self.client, origin, deadline).await?;
                (endpoint(&metadata, origin.url(), "jwks_uri")?, metadata)
            }
        };
        let keys = KeySet::parse(&body(&self.client, &url, deadline).await?);
        Ok((keys.map_err(|reason| format!("{url}: {reason}"))?, metadata))
    }

    fn took(&self, result: Result<(KeySet, Value), String>) {
        let mut state = self.state();
        let now = Instant::now();
        match result {
            Ok((keys, metadata)) => {
                let count = keys.len();
                let left_out = keys.left_out().to_vec();
                // The same keys go on as they are, with the tokens that they have verified.
                let before = self.held.load_full();
                let same = before.filter(|held| held.keys.digest == keys.digest);
                let is_new = same.is_none() || state.failures > 0;
                let keys = same.map_or_else(|| Arc::new(keys), |held| Arc::clone(&held.keys));
                self.held.store(Some(Arc::new(Held {
                    keys,
                    metadata: Arc::new(metadata),
                    since: now,
                })));
                self.metrics.keys.set(i64::try_from(count).unwrap_or(i64::MAX));
                state.failures = 0;
                state.not_before = None;
                if is_new {
                    tracing::info!(
                        issuer = self.config.origin.url().as_str(),
                        keys = count,
                        "keys of an issuer fetched"
                    );
                    log_left_out(self.config.origin.url().as_str(), &left_out);
                }
            }
            Err(reason) => {
                let (first, longest) = BACKOFF;
                let wait = first.saturating_mul(1 << state.failures.min(10)).min(longest);
                state.failures = state.failures.saturating_add(1);
                state.not_before = Some(now + wait);
                let has_keys = self.keys(now).is_some();
                let issuer = self.config.origin.url().as_str();
                tracing::warn!(
                    issuer,
                    has_keys,
                    next_in_s = wait.as_secs(),
                    "cannot fetch keys of an issuer: {reason}"
                );
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says which keys of a set are not used. Keys for encryption are among them in many sets, so it is no warning.
pub(super) fn log_left_out(from: &str, left_out: &[String]) {
    for reason in left_out {
        tracing::info!(from, "a key is not used: {reason}");
    }
}

/// A fetch under way. However it ends, others may begin and nobody goes on waiting for it.
struct Fetching(Arc<KeySource>);

impl Fetching {
    async fn run(self) {
        let began = Instant::now();
        let result = self.0.fetch().await;
        self.0.metrics.asked(result.is_ok(), began.elapsed());
        self.0.took(result);
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.state().is_fetching = false;
        self.0.ended.send_modify(|ended| *ended += 1);
    }
}

/// The metadata of an issuer (OpenID Connect Discovery 1.0, section 4; RFC 8414).
///
/// # Errors
/// When there are none, or they were found by the issuer's name and are another's.
pub async fn metadata(client: &GatewayClient, origin: &MetadataOrigin, deadline: Instant) -> Result<Value, String> {
    let (url, issuer) = match origin {
        MetadataOrigin::Discovery(url) => (url.clone(), None),
        MetadataOrigin::Issuer(issuer) => {
            let url = format!(
                "{}/.well-known/openid-configuration",
                issuer.as_str().trim_end_matches('/')
            );
            (url.parse()?, Some(issuer))
        }
    };
    let bytes = body(client, &url, deadline).await?;
    let metadata =
        json::object(&bytes).map_err(|error| format!("{url}: they are not metadata of an issuer: {error}"))?;
    // Whoever wrote the URL into the configuration has said whose they are.
    let Some(issuer) = issuer else {
        return Ok(Value::Object(metadata));
    };
    match metadata.get("issuer").and_then(Value::as_str) {
        Some(name) if name == issuer.as_str() => Ok(Value::Object(metadata)),
        // Quoted and cut: it comes from outside.
        Some(name) => {
            let name: String = name.chars().take(200).collect();
            Err(format!(
                "{url}: they are of another issuer, {name:?}; write `issuer` exactly so if that is meant, or this URL as `discovery` \
                 if tokens say something else"
            ))
        }
        None => Err(format!("{url}: they do not say whose they are (`issuer`)")),
    }
}

/// Where the metadata say that something is. What is reached with TLS does not lead to what is reached without.
///
/// # Errors
/// When they do not say, or not a URL that can be trusted.
pub fn endpoint(metadata: &Value, issuer: &WebUrl, name: &str) -> Result<WebUrl, String> {
    let url = metadata.get(name).and_then(Value::as_str);
    let url = url.ok_or_else(|| format!("the metadata of {issuer} have no `{name}`"))?;
    let url: WebUrl = url
        .parse()
        .map_err(|reason| format!("`{name}` of {issuer}: {reason}"))?;
    match issuer.tls && !url.tls {
        true => Err(format!("`{name}` of {issuer} is not reached with TLS")),
        false => Ok(url),
    }
}

/// What is there, if it is there: another status is none, a redirect included.
async fn body(client: &GatewayClient, url: &WebUrl, deadline: Instant) -> Result<bytes::Bytes, String> {
    let response = client.ask(Ask::get(url, deadline, FETCH_BYTES)).await;
    let response = response.map_err(|error| format!("{url}: {error}"))?;
    match response.status() {
        StatusCode::OK => Ok(response.into_body()),
        status if status.is_redirection() => {
            Err(format!("{url}: it leads elsewhere ({status}), which is not followed"))
        }
        status => Err(format!("{url}: status {status}")),
    }
}
