//! What a plugin is granted that is not in its configuration: things that were read or made when it was loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::gateway as config;
use gatewright_core::{Away, Scope, State, StateError};

use crate::digest::Digest;
use crate::kind::PluginKind;
use crate::observer::Observer;
use crate::outbound::HttpClient;
use crate::tape::Script;

/// What is read or made for one plugin before it is loaded. A plugin that is granted something else is another one, so
/// that exchanges that run end with what they began with.
#[derive(Clone, Default)]
pub struct Granted {
    /// Secrets that it may read, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Keeps its counters and what it puts into stores.
    pub state: Option<Arc<dyn State>>,
    /// Sends its requests.
    pub http: Option<Arc<dyn HttpClient>>,
    /// The certificate authorities that it was made with.
    pub authorities: Vec<u8>,
    /// What its clocks say, at which they stand still: for tests of plugins.
    pub time: Option<Duration>,
    /// Makes its random numbers the same in every run: for tests of plugins.
    pub seed: Option<u64>,
    /// Answers what it asks services for, in their place: for tests of plugins.
    pub script: Option<Arc<Script>>,
    /// The only interface of it that is used: for tests of plugins.
    pub only: Option<PluginKind>,
    /// Sees what it does: for tests of plugins.
    pub observer: Option<Arc<dyn Observer>>,
}

/// A secret's value. Says nothing of it when it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

/// What a configuration says of who shares something, for [`State`].
#[must_use]
pub fn scope(scope: config::Scope) -> Scope {
    match scope {
        config::Scope::Instance => Scope::Instance,
        config::Scope::Cluster(config::Away::Open) => Scope::Cluster(Away::Open),
        config::Scope::Cluster(config::Away::Closed) => Scope::Cluster(Away::Closed),
        config::Scope::Cluster(config::Away::Local) => Scope::Cluster(Away::Local),
    }
}

impl Granted {
    /// For the digest of a plugin; says nothing of what it is made of.
    pub(crate) fn digest(&self) -> Digest {
        let Self {
            secrets,
            state: _,
            http: _,
            authorities,
            time,
            seed,
            script,
            only,
            observer,
        } = self;
        let script = format!("{time:?} {seed:?} {} {only:?} {}", script.is_some(), observer.is_some());
        let secrets = secrets
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), value.bytes()]);
        Digest::of_parts(secrets.chain([authorities.as_slice(), script.as_bytes()]))
    }
}

impl Granted {
    /// Where state is kept.
    ///
    /// # Errors
    /// When the plugin was loaded without.
    pub(crate) fn state(&self) -> Result<&dyn State, StateError> {
        let missing = || StateError::Unavailable("there is none".to_owned());
        self.state.as_deref().ok_or_else(missing)
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value.into_bytes().into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(name: &str, value: &str) -> Granted {
        Granted {
            secrets: [(name.to_owned(), value.to_owned().into())].into(),
            ..Granted::default()
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", granted("NAME", "hunter2")).contains("hunter2"));
    }

    #[test]
    fn another_value_is_another_grant() {
        assert!(granted("a", "b").digest().bytes() == granted("a", "b").digest().bytes());
        assert!(granted("a", "b").digest().bytes() != granted("a", "c").digest().bytes());
        assert!(granted("a", "b").digest().bytes() != granted("ab", "").digest().bytes());
    }
}
