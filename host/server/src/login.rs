//! Logins of people with browsers at an OpenID provider (OpenID Connect Core 1.0, section 3.1; RFC 7636), and the sessions that
//! they get. Nothing of a session is kept here: browsers bring it along, sealed, so that every gateway with the same secret
//! knows it.
//!
//! - `seal`: what only a gateway with the secret can have written
//! - `cookies`: how that is kept by a browser
//! - `session`: what is kept
//! - `provider`: what the provider is asked
//!
//! The stage `oidc-login` is what decides by it.

pub mod cookies;
pub mod provider;
pub mod seal;
pub mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_config::LoginConfig;
use gatewright_core::Request;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;

use self::cookies::Cookies;
use self::provider::{Failure, Provider};
use self::seal::Seal;
use self::session::Session;
use crate::token::claims;
use crate::token::key_set::{Digest, sha256};

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
    /// The SHA-256 of what the browser sent.
    pub digest: Digest,
}

impl Login {
    pub(crate) fn new(
        config: &LoginConfig,
        secrets: Vec<String>,
        cookie_secrets: &[String],
        provider: Provider,
    ) -> Self {
        let weight =
            |_: &Digest, session: &Arc<Session>| u32::try_from(session.bytes() + SESSION_BYTES).unwrap_or(u32::MAX);
        Self {
            cookies: Cookies::new(&config.cookie),
            // What is sealed for one client is nothing for another with the same secret.
            seal: Seal::new(cookie_secrets, &[config.keys.origin.url().as_str(), &config.client.id]),
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
    #[must_use]
    pub fn session(&self, request: &Request, secure: bool) -> Option<Found> {
        let sealed = self.cookies.session(request, secure)?;
        let digest = sha256(sealed.as_bytes());
        let session = match self.known.get(&digest) {
            Some(session) => session,
            None => {
                let session = Arc::new(Session::open(&self.seal, &sealed)?);
                self.known.insert(digest, Arc::clone(&session));
                session
            }
        };
        (claims::now() < session.ends).then_some(Found { session, digest })
    }

    /// A session that goes on where this one's time is over; asks once for all who wait. None when there is no answer in time.
    pub async fn renew(self: &Arc<Self>, found: &Found, deadline: Instant) -> Option<Renewal> {
        let mut renewal = self.renewals.get_with(found.digest, || {
            let (sender, receiver) = watch::channel(None);
            let (login, found) = (Arc::clone(self), found.clone());
            // Not a part of the request that it is for, which may be given up.
            tokio::spawn(async move {
                let renewed = login.provider.renew(&found.session).await.map(Arc::new);
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

    /// What a session that was known by `digest` has become.
    #[must_use]
    pub fn renewed(&self, digest: &Digest) -> Option<Arc<Session>> {
        let renewal = self.renewals.get(digest)?;
        let renewal = renewal.borrow();
        renewal.as_ref()?.as_ref().ok().cloned()
    }
}
