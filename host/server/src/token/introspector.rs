//! Asks an authorization server whether tokens are good (RFC 7662), once for all who wait for the same answer, and knows for a
//! short while what it has said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_config::{IntrospectionOrigin, IntrospectorConfig, WebUrl};
use http::StatusCode;
use moka::sync::Cache;
use serde_json::Value;
use tokio::sync::watch;

use super::claims::{self, Claims};
use super::issuers::authorities;
use super::json;
use super::key_set::{Digest, sha256};
use super::key_source::{FETCH_TIME, endpoint, metadata};
use super::oauth;
use crate::telemetry::IssuerMetrics;
use crate::upstream::gateway_client::GatewayClient;

/// How long it is known that a token is not good: long enough for a client that tries again, and short for one that was
/// asked about before it was valid everywhere.
const INACTIVE: Duration = Duration::from_secs(5);
/// Tokens that are asked about at once.
const MOST_ASKED: usize = 1024;
/// After so many failures in a row nobody is asked for a while.
const FAILURES: u32 = 5;
/// The while.
const REST: Duration = Duration::from_secs(1);
/// Bytes of answers that are known, about.
const KNOWN_BYTES: u64 = 16 << 20;
/// What a known answer costs besides what it says, about.
const KNOWN_ANSWER_BYTES: usize = 512;

/// What an authorization server says of a token.
#[derive(Debug)]
pub enum Said {
    /// It is good, and this is what it stands for.
    Active(Arc<Claims>),
    /// It is not good.
    Inactive,
}

/// Asks one authorization server, shared by all stages that say the same of it, across reloads.
pub struct Introspector {
    pub(super) config: IntrospectorConfig,
    pub(super) authorities: Option<Vec<u8>>,
    pub(super) secret: String,
    pub(super) client: GatewayClient,
    metrics: IssuerMetrics,
    known: Cache<Digest, Known>,
    state: Mutex<State>,
}

#[derive(Clone)]
struct Known {
    said: Arc<Said>,
    until: Instant,
    bytes: usize,
}

type Answer = Option<Arc<Said>>;

#[derive(Default)]
struct State {
    asked: HashMap<Digest, watch::Receiver<Answer>>,
    endpoint: Option<WebUrl>,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Introspector {
    pub(super) fn new(
        config: &IntrospectorConfig,
        secret: String,
        client: GatewayClient,
        metrics: IssuerMetrics,
    ) -> Self {
        let weight = |_: &Digest, known: &Known| u32::try_from(known.bytes + KNOWN_ANSWER_BYTES).unwrap_or(u32::MAX);
        Self {
            config: config.clone(),
            authorities: authorities(config.ca.as_ref()),
            secret,
            client,
            metrics,
            known: Cache::builder().max_capacity(KNOWN_BYTES).weigher(weight).build(),
            state: Mutex::default(),
        }
    }

    /// What is known of a token.
    #[must_use]
    pub fn known(&self, token: &[u8], now: Instant) -> Option<Arc<Said>> {
        let known = self.known.get(&sha256(token))?;
        (now < known.until).then_some(known.said)
    }

    /// Asks about a token, unless somebody does so already. None when there is no answer in time.
    pub async fn ask(self: &Arc<Self>, token: Vec<u8>, deadline: Instant) -> Answer {
        let now = Instant::now();
        let mut answer = self.begin(token, now)?;
        let patience = deadline.min(now + FETCH_TIME);
        let answered = answer.wait_for(Option::is_some);
        let answered = tokio::time::timeout_at(patience.into(), answered).await;
        answered.ok()?.ok()?.clone()
    }

    fn begin(self: &Arc<Self>, token: Vec<u8>, now: Instant) -> Option<watch::Receiver<Answer>> {
        let digest = sha256(&token);
        let mut state = self.state();
        if let Some(answer) = state.asked.get(&digest) {
            return Some(answer.clone());
        }
        if state.asked.len() >= MOST_ASKED || state.rests_until.is_some_and(|time| now < time) {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        state.asked.insert(digest, receiver.clone());
        // Not a part of the request that it is for, which may be given up.
        let asking = Asking {
            introspector: Arc::clone(self),
            digest,
            sender,
        };
        tokio::spawn(async move { asking.run(&token).await });
        Some(receiver)
    }

    /// What the authorization server says, and how long its answer was.
    async fn introspect(&self, token: &[u8]) -> Result<(Said, usize), String> {
        let deadline = Instant::now() + FETCH_TIME;
        let url = self.endpoint(deadline).await?;
        let token = String::from_utf8_lossy(token);
        let fields = [("token", &*token), ("token_type_hint", "access_token")];
        let ask = oauth::post(&url, &self.config.client, Some(&self.secret), &fields, deadline)?;
        let response = self.client.ask(ask).await.map_err(|error| format!("{url}: {error}"))?;
        match response.status() {
            StatusCode::OK => {
                let said = said(response.body()).map_err(|reason| format!("{url}: {reason}"))?;
                Ok((said, response.body().len()))
            }
            StatusCode::UNAUTHORIZED => {
                let reason = "it does not know the client (401); are `client_id` and `client_secret` right?";
                Err(format!("{url}: {reason}"))
            }
            status => Err(format!("{url}: status {status}")),
        }
    }

    async fn endpoint(&self, deadline: Instant) -> Result<WebUrl, String> {
        let origin = match &self.config.origin {
            IntrospectionOrigin::Endpoint(url) => return Ok(url.clone()),
            IntrospectionOrigin::Metadata(origin) => origin,
        };
        if let Some(url) = self.state().endpoint.clone() {
            return Ok(url);
        }
        let metadata = metadata(&self.client, origin, deadline).await?;
        let url = endpoint(&metadata, origin.url(), "introspection_endpoint")?;
        self.state().endpoint = Some(url.clone());
        Ok(url)
    }

    fn keep(&self, digest: Digest, said: &Arc<Said>, bytes: usize) {
        let mut time = self.config.cache;
        match &**said {
            Said::Inactive => time = time.min(INACTIVE),
            Said::Active(claims) => {
                if let Some(expires) = claims.expires {
                    let left = Duration::try_from_secs_f64(expires - claims::now()).unwrap_or_default();
                    time = time.min(left);
                }
            }
        }
        if time.is_zero() {
            return;
        }
        let known = Known {
            said: Arc::clone(said),
            until: Instant::now() + time,
            // A parsed object takes a few times what its text does.
            bytes: bytes * 4,
        };
        self.known.insert(digest, known);
    }

    fn took(&self, failure: Option<&str>) {
        let mut state = self.state();
        let issuer = self.config.origin.url().as_str();
        match failure {
            None => {
                if state.failures >= FAILURES {
                    tracing::info!(issuer, "tokens can be asked about again");
                }
                state.failures = 0;
                state.rests_until = None;
            }
            Some(reason) => {
                state.failures = state.failures.saturating_add(1);
                // What was found may have moved.
                state.endpoint = None;
                if state.failures >= FAILURES {
                    state.rests_until = Some(Instant::now() + REST);
                }
                if state.failures == 1 || state.failures == FAILURES {
                    tracing::warn!(issuer, failures = state.failures, "cannot ask about a token: {reason}");
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that is being asked about. However that ends, it can be asked about again, and nobody goes on waiting.
struct Asking {
    introspector: Arc<Introspector>,
    digest: Digest,
    sender: watch::Sender<Answer>,
}

impl Asking {
    async fn run(self, token: &[u8]) {
        let introspector = &self.introspector;
        let began = Instant::now();
        let result = introspector.introspect(token).await;
        introspector.metrics.asked(result.is_ok(), began.elapsed());
        introspector.took(result.as_ref().err().map(String::as_str));
        if let Ok((said, bytes)) = result {
            let said = Arc::new(said);
            introspector.keep(self.digest, &said, bytes);
            self.sender.send_replace(Some(said));
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.introspector.state().asked.remove(&self.digest);
    }
}

/// RFC 7662, section 2.2.
fn said(body: &[u8]) -> Result<Said, String> {
    let answer = json::object(body).map_err(|error| format!("it is not an answer about a token: {error}"))?;
    match answer.get("active") {
        Some(Value::Bool(false)) => Ok(Said::Inactive),
        Some(Value::Bool(true)) => match Claims::new(answer) {
            Ok(claims) => Ok(Said::Active(Arc::new(claims))),
            Err(reason) => Err(reason.to_owned()),
        },
        _ => Err("it does not say whether the token is active".to_owned()),
    }
}
