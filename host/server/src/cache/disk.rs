//! A second place for what is kept: files of a folder, which hold more than memory does and are there after a restart.
//!
//! One file for each key, with all of its variants, written by a thread of its own when memory keeps something, and read when memory
//! has nothing. It is never in the way: a disk that is full, slow, or broken is one with nothing on it, and a file that is not what
//! it should be is none. What is purged is written down first and looked for later; whatever is read in between is judged by that.
//!
//! - `worker`: the thread, which alone writes and removes files
//! - `file`, `index`: what is in one, and which there are
//! - `purges`: what is still to be looked for

mod file;
mod index;
mod purges;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gatewright_config::{ConfigError, DiskCacheConfig, FileReference, Place};
use tokio::sync::Semaphore;

use self::index::{Index, Name};
use self::purges::Purges;
use super::key::{Key, Target};
use super::purge::Wanted;
use super::stored::Stored;
use crate::telemetry::{CacheMetrics, DiskRead, DiskWrite};

/// What may wait to be written.
const QUEUE: usize = 1024;
/// What responses may take that wait to be written.
const WAITING_BYTES: u64 = 32 << 20;
/// Files that are read at the same time. Where they take so long that there are more, nobody waits for them.
const READERS: usize = 64;
/// What a request waits for a file.
const READ_TIME: Duration = Duration::from_millis(250);
/// What only this process may use.
const LOCK: &str = "lock";

/// Responses in a folder.
pub struct Disk {
    directory: PathBuf,
    state: Mutex<State>,
    jobs: SyncSender<Job>,
    readers: Arc<Semaphore>,
    /// Held by who writes down what was purged.
    journal: Mutex<()>,
    metrics: CacheMetrics,
    /// Held as long as this lives.
    _lock: File,
}

struct State {
    index: Index,
    purges: Purges,
    /// What is going to be written: the number of the last write of each file. What is struck out here meanwhile is not.
    writes: BTreeMap<Name, u64>,
    number: u64,
    /// What responses take that are going to be written.
    waiting: u64,
    /// Files that are to be removed.
    removals: BTreeSet<Name>,
    /// While files are found that an earlier process has left: what has changed meanwhile.
    changed: Option<BTreeSet<u64>>,
}

/// What the thread does, in this order.
enum Job {
    /// A key is kept so.
    Write(Box<Write>),
    /// Files are not needed any more.
    Remove,
    /// Something was purged: it is not to be there any more.
    Sweep,
}

struct Write {
    number: u64,
    name: Name,
    key: Key,
    variants: Vec<Arc<Stored>>,
    /// When it was kept. What is purged later is purged from it too.
    kept: (Instant, SystemTime),
    bytes: u64,
}

/// Why there is no second place.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the folder {} for responses: {reason}", directory.path.display())]
pub struct DiskError {
    directory: FileReference,
    reason: DiskFault,
}

#[derive(Debug, thiserror::Error)]
enum DiskFault {
    #[error("{}", gatewright_config::reason(.0))]
    Folder(#[from] io::Error),
    #[error("another gateway uses it")]
    Used,
}

impl DiskError {
    /// What is wrong, where the configuration names the folder.
    pub fn mistake(&self) -> ConfigError {
        self.place().mistake(self).with_hint(match self.reason {
            DiskFault::Folder(_) => "name a folder where this user may make files",
            DiskFault::Used => "give each gateway a folder of its own",
        })
    }

    /// Where the configuration names the folder.
    pub fn place(&self) -> &Place {
        &self.directory.place
    }
}

impl Disk {
    /// Responses in that folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be used, or another process uses it.
    pub fn open(config: &DiskCacheConfig, metrics: CacheMetrics) -> Result<Arc<Self>, DiskError> {
        let directory = &config.directory.path;
        let lock = own(directory).map_err(|reason| DiskError {
            directory: config.directory.clone(),
            reason,
        })?;
        let (jobs, queue) = sync_channel(QUEUE);
        let disk = Arc::new(Self {
            directory: directory.clone(),
            state: Mutex::new(State {
                index: Index::new(config.bytes.0),
                purges: Purges::load(directory),
                writes: BTreeMap::new(),
                number: 0,
                waiting: 0,
                removals: BTreeSet::new(),
                changed: Some(BTreeSet::new()),
            }),
            jobs,
            readers: Arc::new(Semaphore::new(READERS)),
            journal: Mutex::default(),
            metrics,
            _lock: lock,
        });
        let working = Arc::downgrade(&disk);
        let thread = std::thread::Builder::new().name("cache-disk".to_owned());
        let spawned = thread.spawn(move || worker::work(&working, &queue));
        spawned.map_err(|error| DiskError {
            directory: config.directory.clone(),
            reason: error.into(),
        })?;
        Ok(disk)
    }

    /// Whether there may be something under this key. What is older than what is going to be written is nothing.
    pub(super) fn has(&self, key: &Key) -> bool {
        let name = Name::of(key);
        let state = self.state();
        state.index.has(&name) && !state.writes.contains_key(&name)
    }

    /// What is kept under a key.
    pub(super) async fn read(self: &Arc<Self>, key: &Key) -> Option<Vec<Stored>> {
        let name = Name::of(key);
        match self.find(key, &name).await {
            Ok(found) if !found.is_empty() => {
                self.metrics.disk_read(DiskRead::Hit);
                return Some(found);
            }
            Ok(_) => {
                self.metrics.disk_read(DiskRead::Miss);
                self.forget(name);
            }
            Err(error) => {
                self.metrics.disk_read(DiskRead::Failed);
                // What cannot be read now may be read another time.
                if error.kind() != io::ErrorKind::TimedOut {
                    self.forget(name);
                }
            }
        }
        None
    }

    async fn find(self: &Arc<Self>, key: &Key, name: &Name) -> io::Result<Vec<Stored>> {
        let busy = || io::Error::from(io::ErrorKind::TimedOut);
        let permit = Arc::clone(&self.readers).try_acquire_owned().map_err(|_| busy())?;
        let path = self.directory.join(name.to_string());
        // The permit is back when the disk has answered, however long that is after anybody has waited for it.
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            fs::read(path)
        });
        let bytes = tokio::time::timeout(READ_TIME, reading).await.map_err(|_| busy())?;
        let bytes = bytes.map_err(io::Error::other)??;
        let file = file::decode(&bytes, SystemTime::now()).ok_or(io::ErrorKind::InvalidData)?;
        if *file.key != *key.bytes {
            return Ok(Vec::new());
        }
        let mut state = self.state();
        // It was removed while it was read; why may be forgotten by now.
        if !state.index.has(name) {
            return Ok(Vec::new());
        }
        state.index.use_again(name);
        let variants = file.variants.into_iter();
        Ok(variants
            .filter(|stored| !state.purges.removes(&file.key, stored, file.kept))
            .collect())
    }

    /// From now on a key is kept so.
    pub(super) fn write(&self, key: &Key, variants: Vec<Arc<Stored>>) {
        let kept = (Instant::now(), SystemTime::now());
        let variants: Vec<_> = variants
            .into_iter()
            .filter(|stored| stored.head.is_for_a_file(kept.0))
            .collect();
        if variants.is_empty() {
            return self.remove(key);
        }
        let (name, key) = (Name::of(key), key.clone());
        let bytes = variants.iter().map(|stored| stored.weight()).sum();
        let number = {
            let mut state = self.state();
            state.number += 1;
            let number = state.number;
            state.waiting += bytes;
            // Of several only the last one counts.
            state.writes.insert(name, number);
            (state.waiting <= WAITING_BYTES).then_some(number)
        };
        let write = number.map(|number| {
            Box::new(Write {
                number,
                name,
                key,
                variants,
                kept,
                bytes,
            })
        });
        if write.is_none_or(|write| self.jobs.try_send(Job::Write(write)).is_err()) {
            self.state().waiting -= bytes;
            self.metrics.disk_write(DiskWrite::Dropped);
            // What is there is older.
            self.forget(name);
        }
    }

    /// What was under a key is not the answer any more.
    pub(super) fn remove(&self, key: &Key) {
        let name = Name::of(key);
        let state = self.state();
        let is_there = state.writes.contains_key(&name) || state.index.has(&name);
        drop(state);
        if is_there {
            self.forget(name);
        }
    }

    /// A resource has changed: nothing of it is an answer any more.
    pub(super) fn invalidate(&self, resource: u64) {
        let names: Vec<_> = {
            let mut state = self.state();
            if let Some(changed) = &mut state.changed {
                changed.insert(resource);
            }
            let written = state.writes.range(Name::all_of(resource)).map(|(name, _)| *name);
            written.chain(state.index.of_resource(resource)).collect()
        };
        names.into_iter().for_each(|name| self.forget(name));
    }

    /// Something is not to be there any more.
    pub(super) fn purge(&self, wanted: &Wanted) {
        let mut state = self.state();
        state.purges.note(wanted);
        // What is going to be written may be meant. It is not looked at, but given up.
        let writes = std::mem::take(&mut state.writes);
        drop(state);
        writes.into_keys().for_each(|name| self.forget(name));
        // Where there is no room for it, what waits already does it too, or the next start.
        let _ = self.jobs.try_send(Job::Sweep);
    }

    /// Writes down what was purged.
    pub(super) fn write_down(&self) {
        let _journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.state().purges.text();
        if let Err(error) = purges::write(&text, &self.directory) {
            let directory = self.directory.display();
            tracing::error!(%directory, "cannot write down what was purged, which is so until the gateway stops: {error}");
        }
    }

    /// A file is not to be there, and not to come.
    fn forget(&self, name: Name) {
        let mut state = self.state();
        state.writes.remove(&name);
        state.index.remove(&name);
        state.removals.insert(name);
        self.metrics.disk(state.index.bytes(), state.index.len());
        drop(state);
        // Where there is no room for it, what waits already does it too.
        let _ = self.jobs.try_send(Job::Remove);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What has changed must not be there when the next process looks.
        self.remove_files();
    }
}

/// Makes the folder this process's, as long as the lock is held.
fn own(directory: &Path) -> Result<File, DiskFault> {
    make_private(directory)?;
    let lock = private(&directory.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DiskFault::Used),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A folder that only this user can look into, if it is not there yet: responses may be for one client only.
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A file that only this user can read.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// A hash of what is asked for, the same in every process.
pub(super) fn resource_of(key: &[u8]) -> u64 {
    Target::of(key).map_or(0, |target| target.resource())
}
