//! Logins of people with browsers at an OpenID provider (OpenID Connect Core 1.0, section 3.1; RFC 7636), and the sessions that
//! they get. A browser brings its session along, sealed, so that every gateway with the same secret knows it; or, where the
//! configuration says so, the name of one in the state engine.
//!
//! - `seal`: text that only a gateway with the secret can have written
//! - `cookies`: how a browser keeps it
//! - `session`: what is kept, and `packed`: as few bytes
//! - `sessions`: sessions in the state engine
//! - `flights`: one renewal for all gateways
//! - `provider`: what the provider is asked
//!
//! The stage `oidc-login` is what decides by it.

pub mod cookies;
pub mod flights;
pub mod packed;
pub mod provider;
pub mod seal;
pub mod session;
pub mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_config::{LoginConfig, SessionsIn};
use gatewright_core::state::{Away, Scope, State, StateError};
use gatewright_core::{Request, Step};
use http::HeaderValue;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;

use self::cookies::Cookies;
use self::flights::Flights;
use self::provider::{Failure, Provider};
use self::seal::Seal;
use self::session::Session;
use self::sessions::{Kept, Sessions};
use crate::token::claims;
use crate::token::key_set::{Digest, sha256};

/// Whose entries they are in the state engine. No plugin has a name with a colon.
const OWNER: &str = "stage:oidc-login";
/// Bytes of sessions that are known, about.
const KNOWN_BYTES: u64 = 16 << 20;
/// What a known session costs besides what it says, about.
const SESSION_BYTES: usize = 1024;
/// How long it is known that a session was renewed: requests that a browser has sent with the old one by then get the new one
/// too, and the provider does not see its token twice.
const RENEWED: Duration = Duration::from_secs(600);
/// Renewals that are known.
const MOST_RENEWED: u64 = 10_000;

/// Logins at one provider, shared by all stages that say the same of it, across reloads.
pub struct Login {
    pub(crate) config: LoginConfig,
    /// What its secrets are now: of the client, and of cookies.
    pub(crate) secrets: Vec<String>,
    /// Where it asks.
    pub provider: Arc<Provider>,
    /// Where browsers keep it.
    pub cookies: Cookies,
    seal: Seal,
    /// Sessions that are kept here and not by browsers.
    sessions: Option<Sessions>,
    /// Renewals that other gateways know of; none where nothing is shared with any.
    flights: Option<Flights>,
    known: Cache<Digest, Arc<Session>>,
    renewals: Cache<Digest, watch::Receiver<Option<Renewal>>>,
}

/// What became of a session whose time was over.
pub type Renewal = Result<Arc<Session>, Failure>;

/// A session that a request has, and by what it is known.
#[derive(Clone)]
pub struct Found {
    /// It.
    pub session: Arc<Session>,
    /// The SHA-256 of the sealed session.
    pub digest: Digest,
    /// Where it is kept, if that is not the browser.
    kept: Option<Kept>,
}

/// Why a browser does not get a session.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It does not fit into cookies.
    #[error(
        "the session is longer than browsers keep: keep it here (`sessions = \"state\"`), or ask for less (`scopes`, `userinfo`, \
         `forward`)"
    )]
    TooLong,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
    /// The state engine does not take it.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Login {
    pub(crate) fn new(
        config: &LoginConfig,
        secrets: Vec<String>,
        cookie_secrets: &[String],
        provider: Provider,
        state: &Arc<dyn State>,
    ) -> Self {
        let scope = match gatewright_wasm::scope(config.scope) {
            Scope::Instance => Scope::Instance,
            // A session that another gateway keeps is not to be had here, and a renewal that nobody tells of is done here.
            Scope::Cluster(_) => Scope::Cluster(Away::Closed),
        };
        let weight =
            |_: &Digest, session: &Arc<Session>| u32::try_from(session.bytes() + SESSION_BYTES).unwrap_or(u32::MAX);
        Self {
            cookies: Cookies::new(&config.cookie),
            // What is sealed for one client is nothing for another with the same secret.
            seal: Seal::new(cookie_secrets, &[&config.issuer, &config.client.id]),
            sessions: (config.sessions == SessionsIn::State)
                .then(|| Sessions::new(Arc::clone(state), scope, config.session_bytes.0)),
            flights: (scope != Scope::Instance).then(|| Flights::new(Arc::clone(state), scope)),
            config: config.clone(),
            secrets,
            provider: Arc::new(provider),
            known: Cache::builder().max_capacity(KNOWN_BYTES).weigher(weight).build(),
            renewals: Cache::builder()
                .eviction_policy(EvictionPolicy::lru())
                .max_capacity(MOST_RENEWED)
                .time_to_live(RENEWED)
                .build(),
        }
    }

    /// What only a gateway with the secret can have written.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The session of a request, if it has one that is not over. It may have to be renewed.
    ///
    /// # Errors
    /// When it is kept by a state server that does not answer.
    pub fn session<'a>(&'a self, request: &Request, secure: bool) -> Step<'a, Result<Option<Found>, StateError>> {
        let Some(brought) = self.cookies.session(request, secure) else {
            return Step::ready(Ok(None));
        };
        let Some(sessions) = &self.sessions else {
            return Step::ready(Ok(self.opened(&brought, None)));
        };
        Step::waiting(async move {
            let found = sessions.find(&brought).await?;
            Ok(found.and_then(|(kept, sealed)| self.opened(&sealed, Some(kept))))
        })
    }

    fn opened(&self, sealed: &str, kept: Option<Kept>) -> Option<Found> {
        let digest = sha256(sealed.as_bytes());
        let session = match self.known.get(&digest) {
            Some(session) => session,
            None => {
                let session = Arc::new(Session::open(&self.seal, sealed)?);
                self.known.insert(digest, Arc::clone(&session));
                session
            }
        };
        (claims::now() < session.ends).then_some(Found { session, digest, kept })
    }

    /// Keeps a session that a login has led to: the fields that make the browser come with it.
    ///
    /// # Errors
    /// When nobody can keep it.
    pub async fn keep(&self, request: &Request, secure: bool, session: &Session) -> Result<Vec<HeaderValue>, NotKept> {
        let sealed = session.seal(&self.seal).ok_or(NotKept::TooLong)?;
        let lasts = remaining(session);
        let brought = match &self.sessions {
            None => sealed,
            Some(sessions) => {
                if let Some(former) = self.cookies.session(request, secure) {
                    sessions.end(&former).await?;
                }
                sessions.begin(sealed, lasts).await?.ok_or(NotKept::NoRandomNumbers)?
            }
        };
        let fields = self.cookies.keep_session(request, secure, &brought, lasts.as_secs());
        fields.ok_or(NotKept::TooLong)
    }

    /// Ends the session that a request comes with: the fields that make the browser forget it.
    ///
    /// # Errors
    /// When it is kept by a state server that does not answer.
    pub async fn end(&self, request: &Request, secure: bool) -> Result<Vec<HeaderValue>, StateError> {
        if let (Some(sessions), Some(name)) = (&self.sessions, self.cookies.session(request, secure)) {
            sessions.end(&name).await?;
        }
        Ok(self.cookies.forget_session(request, secure))
    }

    /// A session that goes on where this one's time is over; asks once for all who wait. None when there is no answer in time.
    pub async fn renew(self: &Arc<Self>, found: &Found, deadline: Instant) -> Option<Renewal> {
        let mut renewal = self.renewals.get_with(found.digest, || {
            let (sender, receiver) = watch::channel(None);
            let (login, found) = (Arc::clone(self), found.clone());
            // Not a part of the request that it is for, which may be given up.
            tokio::spawn(async move {
                let renewed = match &login.flights {
                    Some(flights) => {
                        flights
                            .once(&name_of(&found.digest), &login.seal, login.ask(&found))
                            .await
                    }
                    None => login.ask(&found).await,
                };
                if matches!(renewed, Err(Failure::Unavailable(_))) {
                    login.renewals.invalidate(&found.digest);
                }
                sender.send_replace(Some(renewed));
            });
            receiver
        });
        let renewed = renewal.wait_for(Option::is_some);
        let renewed = tokio::time::timeout_at(deadline.into(), renewed).await;
        renewed.ok()?.ok()?.clone()
    }

    /// Asks the provider, and puts the answer where the session is kept.
    async fn ask(&self, found: &Found) -> Renewal {
        let renewed = Arc::new(self.provider.renew(&found.session).await?);
        let (Some(sessions), Some(kept)) = (&self.sessions, &found.kept) else {
            return Ok(renewed);
        };
        let too_long = || Failure::Unavailable("the session cannot be sealed".to_owned());
        let sealed = renewed.seal(&self.seal).ok_or_else(too_long)?;
        match sessions.replace(kept, sealed, remaining(&renewed)).await {
            Ok(true) => Ok(renewed),
            Ok(false) => Err(Failure::Refused(
                "the session was ended while it was renewed".to_owned(),
            )),
            Err(error) => Err(Failure::Unavailable(error.to_string())),
        }
    }

    /// The fields that make a browser come with a session that was renewed for its request, which was known by `digest`. None
    /// where that changes nothing for the browser.
    #[must_use]
    pub fn renewed(&self, request: &Request, secure: bool, digest: &Digest) -> Option<Vec<HeaderValue>> {
        if self.sessions.is_some() {
            return None;
        }
        let renewal = self.renewals.get(digest)?;
        let session = renewal.borrow().as_ref()?.as_ref().ok().cloned()?;
        let (sealed, lasts) = (session.seal(&self.seal)?, remaining(&session).as_secs());
        self.cookies.keep_session(request, secure, &sealed, lasts)
    }
}

/// Until the session is over, in whole seconds: what is cut off is nothing to anybody.
fn remaining(session: &Session) -> Duration {
    let left = (session.ends - claims::now()).max(0.0);
    Duration::try_from_secs_f64(left.floor()).unwrap_or_default()
}

fn name_of(digest: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}
