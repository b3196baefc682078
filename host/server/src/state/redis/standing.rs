//! Whether the servers can be used: found out from the start on, also while nothing is asked of them, and said once for all
//! workers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::sleep;

use super::connecting::{self, Connection, RedisSettings};
use super::link::{KEEP_ALIVE, PAUSES, jittered};

/// How the servers stand.
#[derive(Default)]
pub struct Standing(Mutex<Known>);

#[derive(Default)]
enum Known {
    /// Nothing yet.
    #[default]
    Nothing,
    /// They do what operations need.
    Usable,
    /// They do not.
    Unusable(String),
}

impl Standing {
    /// Why they cannot be used; none while they can.
    pub fn problem(&self) -> Option<String> {
        match &*self.lock() {
            Known::Nothing => Some("no answer yet".to_owned()),
            Known::Usable => None,
            Known::Unusable(reason) => Some(reason.clone()),
        }
    }

    /// Whether nothing is known so far.
    pub fn is_unknown(&self) -> bool {
        matches!(&*self.lock(), Known::Nothing)
    }

    /// Says what is new.
    fn is(&self, found: Result<(), String>) {
        let mut known = self.lock();
        match (&*known, found) {
            (Known::Usable, Ok(())) => {}
            (_, Ok(())) => {
                tracing::info!("the servers of `[redis]` can be used");
                *known = Known::Usable;
            }
            (Known::Unusable(before), Err(reason)) if *before == reason => {}
            (_, Err(reason)) => {
                tracing::warn!("the servers of `[redis]` cannot be used; trying again until they can: {reason}");
                *known = Known::Unusable(reason);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to find out.
pub(super) fn watch(settings: &Arc<RedisSettings>) -> Arc<Standing> {
    let standing = Arc::<Standing>::default();
    tokio::spawn(keep_looking(Arc::clone(settings), Arc::downgrade(&standing)));
    standing
}

/// As long as somebody wants to know.
async fn keep_looking(settings: Arc<RedisSettings>, standing: Weak<Standing>) {
    let mut pause = PAUSES.0;
    let mut kept: Option<Connection> = None;
    while standing.strong_count() > 0 {
        let connected = match kept.take() {
            Some(mut connection) => connecting::probe(&mut connection, &settings).await.map(|()| connection),
            None => connecting::connect(&settings).await,
        };
        let Some(standing) = standing.upgrade() else { return };
        let wait = match connected {
            Ok(connection) => {
                kept = Some(connection);
                pause = PAUSES.0;
                standing.is(Ok(()));
                KEEP_ALIVE
            }
            Err(reason) => {
                standing.is(Err(reason));
                let wait = jittered(pause);
                pause = (pause * 2).min(PAUSES.1);
                wait
            }
        };
        drop(standing);
        sleep(wait).await;
    }
}
