//! Notices that the configuration or a plugin has changed, waits until the change is complete, and loads it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::process::{Control, Event};
use crate::watch::{self, Snapshot};

/// How often the files are looked at without any sign of a change. Events can get lost, and some file systems have none.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A file that does not change for this long is taken to be complete.
const QUIET: Duration = Duration::from_millis(60);
/// Files that never come to rest are loaded all the same; what is half-written is refused and tried again.
const MAX_LOOKS: usize = 6;

/// Watches the files of a configuration.
pub struct Watcher {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    // How the files looked when they were last loaded, well or not.
    loaded: Snapshot,
    events: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Watches what a running gateway was made of.
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
            files: BTreeSet::new(),
            folders: BTreeSet::new(),
            loaded: Snapshot::default(),
            events,
        };
        watcher.look_at(control);
        watcher
    }

    /// Watches what the gateway is made of now, as it looks now.
    pub(crate) fn look_at(&mut self, control: &Control) {
        self.watch(control);
        self.loaded = Snapshot::take(&self.files);
    }

    /// Loads the files anew if they have changed, once they have come to rest.
    pub(crate) async fn settle(&mut self, control: &mut Control) {
        let mut seen = Snapshot::take(&self.files);
        if seen == self.loaded {
            return;
        }
        for _ in 0..MAX_LOOKS {
            tokio::time::sleep(QUIET).await;
            let now = Snapshot::take(&self.files);
            if now == seen {
                break;
            }
            seen = now;
        }
        // Taken before loading: what changes meanwhile differs from it, and is loaded next time.
        self.loaded = seen;
        if control.reload().await.is_ok() {
            let before = std::mem::take(&mut self.files);
            self.watch(control);
            if self.files != before {
                self.loaded = Snapshot::take(&self.files);
            }
        }
    }

    fn watch(&mut self, control: &Control) {
        self.files = watch::files(&control.options.config, Some(&control.generation.config));
        let folders = watch::folders(&self.files);
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
