//! Notices that the configuration or a plugin has changed, waits until the change is complete, and loads it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::process::{Control, Event};
use crate::watch;

/// How often the files are looked at without any sign of a change. Events can get lost, and some file systems have none.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A file that does not change for this long is taken to be complete.
const QUIET: Duration = Duration::from_millis(60);
/// Files that never come to rest are loaded all the same; what is half-written is refused and tried again.
const MAX_LOOKS: usize = 6;

/// Watches the files that the configuration was read from, whether it serves or was refused.
pub struct Watcher {
    folders: BTreeSet<PathBuf>,
    events: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Watches what control has read.
    pub(crate) fn new(control: &Control) -> Self {
        let sender = control.events.clone();
        let events = notify::recommended_watcher(move |_event| {
            // What happened does not matter: control looks for itself.
            let _ = sender.send(Event::FilesChanged);
        });
        let events = match events {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(%error, "cannot be told of changed files; looking every {} s", LOOK_INTERVAL.as_secs());
                None
            }
        };
        let mut watcher = Self {
            folders: BTreeSet::new(),
            events,
        };
        watcher.follow(control);
        watcher
    }

    /// Loads the files anew if they have changed since they were read, once they have come to rest.
    pub(crate) async fn settle(&mut self, control: &mut Control) {
        let mut seen = control.seen.again();
        if seen == control.seen {
            return;
        }
        for _ in 0..MAX_LOOKS {
            tokio::time::sleep(QUIET).await;
            let now = seen.again();
            if now == seen {
                break;
            }
            seen = now;
        }
        // Why it was refused, if it was, is logged; it is tried again when one of the files changes.
        let _ = control.reload().await;
        self.follow(control);
    }

    /// Watches the folders of what control has read last.
    pub(crate) fn follow(&mut self, control: &Control) {
        let folders = watch::folders(control.seen.files());
        if let Some(events) = &mut self.events {
            for folder in self.folders.difference(&folders) {
                let _ = events.unwatch(folder);
            }
            for folder in folders.difference(&self.folders) {
                if let Err(error) = events.watch(folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(folder = %folder.display(), %error, "cannot be told of changes in this folder");
                }
            }
        }
        self.folders = folders;
    }
}
