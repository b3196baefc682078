//! What a plugin is granted that is not in its configuration: things that were read or made when it was loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;

/// What is read or made for one plugin before it is loaded. A plugin that is granted something else is another one, so
/// that exchanges that run end with what they began with.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// Secrets that it may read, by name.
    pub secrets: BTreeMap<String, Secret>,
}

/// A secret's value. Says nothing of it when it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Granted {
    /// For the digest of a plugin; says nothing of what it is made of.
    pub(crate) fn digest(&self) -> Digest {
        let Self { secrets } = self;
        let secrets = secrets
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), value.bytes()]);
        Digest::of_parts(secrets)
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
