//! Sessions in the state engine: a browser keeps a random name, and what it stands for is here. They end when somebody ends them, and
//! a person in any number of groups has one cookie.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use gatewright_core::state::{Expected, Scope, Space, State, StateError};

use super::{OWNER, name_of};
use crate::token::key_set::sha256;

/// Where sessions are kept, each sealed.
pub struct Sessions {
    state: Arc<dyn State>,
    scope: Scope,
    bytes: u64,
}

/// A session that is kept, and the version of it that was read.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What the browser brings along.
    pub name: String,
    revision: u64,
}

impl Sessions {
    /// Sessions that may take this many bytes together.
    pub fn new(state: Arc<dyn State>, scope: Scope, bytes: u64) -> Self {
        Self { state, scope, bytes }
    }

    /// Keeps a new session for so long, and returns its name; none when the system has no random numbers.
    ///
    /// # Errors
    /// When there is no room, or the state server does not answer.
    pub async fn begin(&self, sealed: String, lasts: Duration) -> Result<Option<String>, StateError> {
        let mut bytes = [0; 32];
        if rand::fill(&mut bytes).is_err() {
            return Ok(None);
        }
        let name = URL_SAFE_NO_PAD.encode(bytes);
        let put = self.state.put(
            self.space(),
            &key(&name),
            Expected::Absent,
            Bytes::from(sealed),
            Some(lasts),
        );
        Ok(put.await?.map(|_| name))
    }

    /// The session of that name, sealed.
    ///
    /// # Errors
    /// When the state server does not answer.
    pub async fn find(&self, name: &str) -> Result<Option<(Kept, String)>, StateError> {
        let entry = self.state.get(self.space(), &key(name)).await?;
        Ok(entry.and_then(|entry| {
            let kept = Kept {
                name: name.to_owned(),
                revision: entry.revision,
            };
            Some((kept, String::from_utf8(entry.value.into()).ok()?))
        }))
    }

    /// Puts a renewed session in the place of the one that was read. False when that one is not there any more: a session that
    /// was ended in between stays ended.
    ///
    /// # Errors
    /// When there is no room, or the state server does not answer.
    pub async fn replace(&self, kept: &Kept, sealed: String, lasts: Duration) -> Result<bool, StateError> {
        let expected = Expected::Revision(kept.revision);
        let put = self.state.put(
            self.space(),
            &key(&kept.name),
            expected,
            Bytes::from(sealed),
            Some(lasts),
        );
        Ok(put.await?.is_some())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the state server does not answer.
    pub async fn end(&self, name: &str) -> Result<(), StateError> {
        self.state.delete(self.space(), &key(name)).await
    }

    fn space(&self) -> Space<'_> {
        Space {
            owner: OWNER,
            name: "sessions",
            bytes: self.bytes,
            scope: self.scope,
        }
    }
}

/// A name by which nobody who reads the state server can come with a session.
fn key(name: &str) -> String {
    name_of(&sha256(name.as_bytes()))
}
