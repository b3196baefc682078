//! The issuers whose tokens are verified: what is known of each lives as long as somebody uses it, across reloads, and is
//! shared by all routes that say the same of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use gatewright_config::{
    FetchedKeysConfig, FileReference, IntrospectorConfig, KeySourceConfig, LoginConfig, Place, SecretSource,
};
use gatewright_core::State;
use http::HeaderValue;

use super::introspector::Introspector;
use super::key_set::{KeySet, sha256};
use super::key_source::{KeySource, log_left_out};
use crate::files;
use crate::login::Login;
use crate::login::provider::Provider;
use crate::secret::{self, SecretError};
use crate::telemetry::Metrics;
use crate::upstream::connect::SetupError;
use crate::upstream::gateway_client::GatewayClient;

/// Connections to an authorization server that each worker keeps.
const IDLE_CONNECTIONS: usize = 16;
/// What protects cookies is no password that somebody has thought of.
const SHORTEST_COOKIE_SECRET: usize = 32;
/// The largest file of keys.
const FILE_BYTES: u64 = 1 << 20;

/// All of them.
pub struct Issuers {
    metrics: Arc<Metrics>,
    via: HeaderValue,
    workers: usize,
    state: Arc<dyn State>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sources: Vec<Weak<KeySource>>,
    sets: Vec<Weak<KeySet>>,
    introspectors: Vec<Weak<Introspector>>,
    logins: Vec<Weak<Login>>,
}

/// Keys to verify tokens with.
pub enum Keys {
    /// From a file.
    Fixed(Arc<KeySet>),
    /// Fetched.
    Fetched(Arc<KeySource>),
    /// There are none, because nobody may be asked.
    Nobodys,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nobody can be asked for them.
    #[error(transparent)]
    Setup(Box<SetupError>),
    /// The secret with which somebody would be asked cannot be read.
    #[error("cannot use the secret: {source}")]
    Secret {
        /// Where the configuration names it.
        place: Place,
        /// Why.
        source: SecretError,
    },
    /// A secret is so short that it can be guessed.
    #[error("the secret is shorter than {SHORTEST_COOKIE_SECRET} bytes")]
    Short(Place),
    /// The file has none.
    #[error("cannot use the keys of {}: {reason}", file.path.display())]
    File {
        /// The file.
        file: FileReference,
        /// Why.
        reason: String,
    },
}

impl KeysError {
    /// Where the configuration names what is wrong.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Setup(error) => Some(error.place()),
            Self::Secret { place, .. } | Self::Short(place) => Some(place),
            Self::File { file, .. } => Some(&file.place),
        }
    }
}

impl KeysError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Setup(error) => error.hint(),
            Self::Secret { source, .. } => Some(source.hint()),
            Self::Short(_) => Some("`openssl rand -base64 32` makes a good one"),
            Self::File { .. } => Some("name a file with a JSON Web Key Set: `{\"keys\": [ … ]}`"),
        }
    }
}

impl Issuers {
    /// None yet. `via` is what this process calls itself; `state` keeps what gateways share of logins.
    pub fn new(metrics: Arc<Metrics>, via: HeaderValue, workers: usize, state: Arc<dyn State>) -> Self {
        Self {
            metrics,
            via,
            workers,
            state,
            known: Mutex::default(),
        }
    }

    /// The keys that a configuration names. Fetches nothing; nothing will be unless `online`.
    ///
    /// # Errors
    /// When a file that it names cannot be used.
    pub fn keys(&self, config: &KeySourceConfig, online: bool) -> Result<Keys, KeysError> {
        match config {
            KeySourceConfig::File(file) => self.fixed(file).map(Keys::Fixed),
            KeySourceConfig::Fetched(config) => {
                // Also when it will not be asked: what it is made of may be wrong.
                let source = self.fetched(config)?;
                Ok(if online { Keys::Fetched(source) } else { Keys::Nobodys })
            }
        }
    }

    /// Who is asked about tokens. Asks nobody.
    ///
    /// # Errors
    /// When a file or a secret that the configuration names cannot be used.
    pub fn introspector(&self, config: &IntrospectorConfig) -> Result<Arc<Introspector>, KeysError> {
        let secret = config.client.secret.as_ref().map(read).transpose()?.unwrap_or_default();
        let authorities = authorities(config.ca.as_ref());
        let mut known = self.known();
        let is_same = |known: &Arc<Introspector>| {
            known.config == *config && known.secret == secret && known.authorities == authorities
        };
        if let Some(introspector) = find(&mut known.introspectors, is_same) {
            return Ok(introspector);
        }
        let url = config.origin.url();
        let (ca, via) = (config.ca.as_ref(), self.via.clone());
        let client = GatewayClient::new(url, ca, &config.place, self.workers, IDLE_CONNECTIONS, via);
        let client = client.map_err(|error| KeysError::Setup(Box::new(error)))?;
        let metrics = self.metrics.issuer(url.as_str(), "introspection");
        let introspector = Arc::new(Introspector::new(config, secret, client, metrics));
        known.introspectors.push(Arc::downgrade(&introspector));
        Ok(introspector)
    }

    /// Logins of people. Asks nobody, and will not unless `online`.
    ///
    /// # Errors
    /// When a file or a secret that the configuration names cannot be used.
    pub fn login(&self, config: &LoginConfig, online: bool) -> Result<Arc<Login>, KeysError> {
        let client_secret = config.client.secret.as_ref().map(read).transpose()?;
        let cookie_secrets = config.cookie.secrets.iter().map(|secret| {
            let text = read(secret)?;
            match text.len() < SHORTEST_COOKIE_SECRET {
                true => Err(KeysError::Short(secret.place.clone())),
                false => Ok(text),
            }
        });
        let cookie_secrets = cookie_secrets.collect::<Result<Vec<_>, _>>()?;
        let secrets: Vec<_> = client_secret.iter().chain(&cookie_secrets).cloned().collect();
        let keys = Some(self.fetched(&config.keys)?).filter(|_| online);
        let mut known = self.known();
        let is_same = |known: &Arc<Login>| {
            known.config == *config && known.secrets == secrets && known.provider.has_keys(keys.as_ref())
        };
        if let Some(login) = find(&mut known.logins, is_same) {
            return Ok(login);
        }
        let (url, ca) = (config.keys.origin.url(), config.keys.ca.as_ref());
        let client = GatewayClient::new(
            url,
            ca,
            &config.keys.place,
            self.workers,
            IDLE_CONNECTIONS,
            self.via.clone(),
        );
        let client = client.map_err(|error| KeysError::Setup(Box::new(error)))?;
        let metrics = self.metrics.issuer(url.as_str(), "login");
        let provider = Provider::new(config, client_secret, client, keys, metrics);
        let login = Arc::new(Login::new(config, secrets, &cookie_secrets, provider, &self.state));
        known.logins.push(Arc::downgrade(&login));
        Ok(login)
    }

    /// Fetches what is not there or should be younger, in the background.
    pub fn refresh(&self) {
        let now = Instant::now();
        let known = self.known();
        let sources: Vec<_> = known.sources.iter().filter_map(Weak::upgrade).collect();
        let introspectors: Vec<_> = known.introspectors.iter().filter_map(Weak::upgrade).collect();
        let logins: Vec<_> = known.logins.iter().filter_map(Weak::upgrade).collect();
        drop(known);
        logins.iter().for_each(|login| login.provider.close_idle());
        introspectors
            .iter()
            .for_each(|introspector| introspector.client.close_idle());
        for source in sources {
            source.refresh(now);
            source.client.close_idle();
        }
    }

    fn fixed(&self, file: &FileReference) -> Result<Arc<KeySet>, KeysError> {
        let wrong = |reason: String| KeysError::File {
            file: file.clone(),
            reason,
        };
        let bytes = files::read(&file.path, FILE_BYTES).map_err(|error| wrong(gatewright_config::reason(&error)))?;
        let digest = sha256(&bytes);
        let mut known = self.known();
        if let Some(set) = find(&mut known.sets, |set| set.digest == digest) {
            return Ok(set);
        }
        let set = Arc::new(KeySet::parse(&bytes).map_err(wrong)?);
        log_left_out(&file.path.display().to_string(), set.left_out());
        known.sets.push(Arc::downgrade(&set));
        Ok(set)
    }

    fn fetched(&self, config: &FetchedKeysConfig) -> Result<Arc<KeySource>, KeysError> {
        let authorities = authorities(config.ca.as_ref());
        let mut known = self.known();
        let is_same = |source: &Arc<KeySource>| source.config == *config && source.authorities == authorities;
        if let Some(source) = find(&mut known.sources, is_same) {
            return Ok(source);
        }
        let url = config.origin.url();
        // Keys are fetched so seldom that a connection is not worth keeping.
        let client = GatewayClient::new(
            url,
            config.ca.as_ref(),
            &config.place,
            self.workers,
            0,
            self.via.clone(),
        );
        let client = client.map_err(|error| KeysError::Setup(Box::new(error)))?;
        let source = Arc::new(KeySource::new(
            config,
            client,
            self.metrics.issuer(url.as_str(), "keys"),
        ));
        known.sources.push(Arc::downgrade(&source));
        Ok(source)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one that is meant, of those that somebody still uses.
fn find<T>(known: &mut Vec<Weak<T>>, is_it: impl Fn(&Arc<T>) -> bool) -> Option<Arc<T>> {
    known.retain(|one| one.strong_count() > 0);
    known.iter().filter_map(Weak::upgrade).find(is_it)
}

/// What a file of certificate authorities holds.
pub(super) fn authorities(ca: Option<&FileReference>) -> Option<Vec<u8>> {
    std::fs::read(&ca?.path).ok()
}

fn read(secret: &SecretSource) -> Result<String, KeysError> {
    secret::read(&secret.reference).map_err(|source| KeysError::Secret {
        place: secret.place.clone(),
        source,
    })
}
