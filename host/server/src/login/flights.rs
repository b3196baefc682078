//! One renewal of a session for all gateways that share state: many providers take a refresh token that comes twice for a theft, and
//! end the session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::state::{Expected, Scope, Space, State};

use super::Renewal;
use super::provider::Failure;
use super::seal::Seal;
use super::session::Session;

/// How long the others wait for the gateway that asks. It asks three times at most, for five seconds each.
const LONGEST: Duration = Duration::from_secs(15);
/// How long a gateway may be at it before another one begins: longer than anybody waits.
const BEGUN: Duration = Duration::from_secs(20);
/// When they look whether there is an answer.
const LOOK: Duration = Duration::from_millis(50);
/// How long an outcome is known: requests that a browser has sent with the old session by then get the new one.
const KNOWN: Duration = Duration::from_secs(600);
/// What stands for a session that the provider has ended. No sealed text is this.
const ENDED: &[u8] = b"-";
/// Bytes of outcomes, together.
const BYTES: u64 = 64 << 20;

/// Renewals that gateways know of each other's.
pub struct Flights {
    state: Arc<dyn State>,
    scope: Scope,
}

impl Flights {
    /// Renewals of gateways that share this.
    pub fn new(state: Arc<dyn State>, scope: Scope) -> Self {
        Self { state, scope }
    }

    /// The outcome of the renewal of that key: from the gateway that has begun it, or from `renew`. A gateway that cannot ask the
    /// state server renews alone.
    pub async fn once(&self, key: &str, seal: &Seal, renew: impl Future<Output = Renewal>) -> Renewal {
        let until = Instant::now() + LONGEST;
        loop {
            match self
                .state
                .put(self.space(), key, Expected::Absent, Bytes::new(), Some(BEGUN))
                .await
            {
                Ok(Some(_)) => return self.lead(key, seal, renew).await,
                Ok(None) => {}
                Err(_) => return renew.await,
            }
            match self.state.get(self.space(), key).await {
                Ok(Some(entry)) if !entry.value.is_empty() => return outcome(&entry.value, seal),
                // It goes on, or the gateway that had begun it has given it up.
                Ok(_) if Instant::now() < until => tokio::time::sleep(LOOK).await,
                Ok(_) => {
                    return Err(Failure::Unavailable(
                        "another gateway renews the session, and has not said how that ended".to_owned(),
                    ));
                }
                Err(_) => return renew.await,
            }
        }
    }

    async fn lead(&self, key: &str, seal: &Seal, renew: impl Future<Output = Renewal>) -> Renewal {
        let renewed = renew.await;
        let known = match &renewed {
            Ok(session) => session.seal(seal).map(Bytes::from),
            Err(Failure::Refused(_) | Failure::Interaction(_)) => Some(Bytes::from_static(ENDED)),
            // The next one asks again.
            Err(Failure::Unavailable(_)) => None,
        };
        // Whatever becomes of this: the session is renewed, and the others stop waiting after their time.
        let told = match known {
            Some(known) => self
                .state
                .put(self.space(), key, Expected::Anything, known, Some(KNOWN))
                .await
                .map(|_| ()),
            None => self.state.delete(self.space(), key).await,
        };
        if let Err(error) = told {
            tracing::warn!("cannot tell other gateways how the renewal of a session ended: {error}");
        }
        renewed
    }

    fn space(&self) -> Space<'_> {
        Space {
            owner: super::OWNER,
            name: "renewals",
            bytes: BYTES,
            scope: self.scope,
        }
    }
}

fn outcome(known: &[u8], seal: &Seal) -> Renewal {
    if known == ENDED {
        return Err(Failure::Refused(
            "the provider has told another gateway that it is over".to_owned(),
        ));
    }
    let session = std::str::from_utf8(known)
        .ok()
        .and_then(|sealed| Session::open(seal, sealed));
    let unknown = || Failure::Unavailable("another gateway has renewed the session, with another secret".to_owned());
    session.map(Arc::new).ok_or_else(unknown)
}
