//! Places that gateways share: a task renews each while its exchange goes on and gives it back in the end. Those of a
//! gateway that dies are free again after [`KEPT`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatewright_core::{Counted, Lease, Leased, StateError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::link::Link;
use super::scripts::Scripts;
use crate::gateway::process_id;

/// How long a place is kept without a word of whoever has it.
const KEPT: Duration = Duration::from_secs(15);
/// How often it is renewed: twice may fail.
const RENEWED: Duration = Duration::from_secs(5);

/// A place, and what it takes to keep it.
struct Place {
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    key: String,
    lease: String,
}

/// Takes one of so many places under a key of the server's, if one is free.
pub(super) async fn lease(
    link: &Arc<Link>,
    scripts: &Arc<Scripts>,
    key: String,
    places: u64,
) -> Result<Leased, StateError> {
    let place = Place {
        link: Arc::clone(link),
        scripts: Arc::clone(scripts),
        key,
        lease: name(),
    };
    let (released, dropped) = oneshot::channel::<()>();
    // Also of an exchange that is over before the server has answered.
    let (sender, answer) = oneshot::channel();
    tokio::spawn(async move {
        let taken = place.take(Some(places)).await;
        let has_place = !matches!(taken, Ok((0, _)));
        let _ = sender.send(taken);
        if has_place {
            place.keep(dropped).await;
        }
    });
    let lost = |_| Err("the gateway is stopping".to_owned());
    let (allowed, taken) = answer.await.unwrap_or_else(lost).map_err(StateError::Unavailable)?;
    Ok(Leased {
        lease: (allowed == 1).then(|| Lease::new(released)),
        taken,
        counted: Counted::AsConfigured,
    })
}

impl Place {
    async fn take(&self, places: Option<u64>) -> Result<(u64, u64), String> {
        let mut script = self.scripts.lease.key(&self.key);
        script.arg(&self.lease).arg(super::milliseconds(KEPT));
        if let Some(places) = places {
            script.arg(places);
        }
        self.link.run(&script).await
    }

    /// Until it is given back.
    async fn keep(self, mut dropped: oneshot::Receiver<()>) {
        while timeout(RENEWED, &mut dropped).await.is_err() {
            // What fails is tried again in time.
            let _ = self.take(None).await;
        }
        let mut script = self.scripts.release.key(&self.key);
        script.arg(&self.lease);
        // The place is free after its time all the same.
        let _ = self.link.run::<u64>(&script).await;
    }
}

/// What no other lease is called.
fn name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}{:x}", process_id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
