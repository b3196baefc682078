//! The thread that writes files and removes them: nobody else does, and nobody waits for it.

use std::fs;
use std::io::{self, Write as _};
use std::sync::Weak;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use super::index::Name;
use super::{Disk, Job, State, Write, file, private};
use crate::telemetry::DiskWrite;

/// How long nothing is written after that has failed.
const REST: Duration = Duration::from_secs(10);

/// Writes and removes files until nobody needs them any more.
pub(super) fn work(disk: &Weak<Disk>, queue: &Receiver<Job>) {
    if let Some(disk) = disk.upgrade() {
        disk.find_files();
        disk.sweep_if_needed();
    }
    let mut rests_until = None::<Instant>;
    while let Ok(job) = queue.recv() {
        let Some(disk) = disk.upgrade() else { return };
        match job {
            Job::Remove => disk.remove_files(),
            Job::Sweep => {
                disk.remove_files();
                disk.sweep_if_needed();
            }
            Job::Write(write) => {
                disk.state().waiting -= write.bytes;
                if rests_until.is_some_and(|time| Instant::now() < time) {
                    disk.metrics.disk_write(DiskWrite::Dropped);
                    // What is there is older.
                    disk.forget(write.name);
                    continue;
                }
                match disk.store(&write) {
                    Ok(()) => {
                        disk.metrics.disk_write(DiskWrite::Done);
                        if rests_until.take().is_some() {
                            tracing::info!("responses are written to disk again");
                        }
                    }
                    Err(error) => {
                        disk.metrics.disk_write(DiskWrite::Failed);
                        if rests_until.is_none() {
                            let directory = disk.directory.display();
                            tracing::warn!(%directory, "cannot write responses to disk, memory keeps them: {error}");
                        }
                        rests_until = Some(Instant::now() + REST);
                    }
                }
            }
        }
    }
}

impl Disk {
    /// Removes the files that are to be removed.
    pub(super) fn remove_files(&self) {
        loop {
            let mut state = self.state();
            let Some(name) = state.removals.pop_first() else { return };
            // One that has come again meanwhile is another one.
            let is_needed = state.index.has(&name);
            drop(state);
            if !is_needed {
                let _ = fs::remove_file(self.directory.join(name.to_string()));
            }
        }
    }

    /// What an earlier process has left.
    fn find_files(&self) {
        // A folder that cannot be read has nothing in it.
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            match (name.parse::<Name>(), entry.metadata()) {
                (Ok(name), Ok(data)) => {
                    let mut state = self.state();
                    let has_changed = state
                        .changed
                        .as_ref()
                        .is_some_and(|changed| changed.contains(&name.resource));
                    match has_changed || state.removals.contains(&name) {
                        true => drop(state.removals.insert(name)),
                        false => state.index.found(name, data.len(), data.modified().ok()),
                    }
                }
                _ if name.ends_with(file::UNFINISHED) => drop(fs::remove_file(entry.path())),
                _ => {}
            }
        }
        self.state().changed = None;
        self.remove_files();
        self.make_room();
    }

    /// Writes a file, unless that is not wanted any more.
    fn store(&self, write: &Write) -> io::Result<()> {
        let Write {
            number,
            name,
            key,
            variants,
            kept,
            ..
        } = write;
        let path = self.directory.join(name.to_string());
        let unfinished = self.directory.join(format!("{name}{}", file::UNFINISHED));
        let bytes = file::encode(key, variants, *kept);
        let is_wanted = |state: &State| state.writes.get(name) == Some(number);
        let mut written = private(&unfinished).and_then(|mut file| file.write_all(&bytes));
        if written.is_ok() && is_wanted(&self.state()) {
            written = fs::rename(&unfinished, &path);
        } else {
            let _ = fs::remove_file(&unfinished);
        }
        let mut state = self.state();
        // Where a younger one is going to be written that will say what is there.
        if is_wanted(&state) {
            state.writes.remove(name);
            if written.is_ok() {
                state.index.put(*name, bytes.len() as u64);
                state.removals.remove(name);
            }
        }
        // What was struck out meanwhile, or could not be written, is not there, and nothing older either.
        if !state.index.has(name) || written.is_err() {
            state.index.remove(name);
            state.removals.insert(*name);
        }
        drop(state);
        self.remove_files();
        self.make_room();
        written
    }

    fn make_room(&self) {
        loop {
            let mut state = self.state();
            let Some(name) = state.index.evict() else {
                self.metrics.disk(state.index.bytes(), state.index.len());
                return;
            };
            drop(state);
            let _ = fs::remove_file(self.directory.join(name.to_string()));
        }
    }

    fn sweep_if_needed(&self) {
        if self.state().purges.last() > 0 {
            self.sweep();
        }
    }

    /// Removes what was purged. After that nobody has to know that it was.
    fn sweep(&self) {
        let (names, began) = {
            let state = self.state();
            (state.index.names(), state.purges.last())
        };
        for name in names {
            let path = self.directory.join(name.to_string());
            let found = fs::read(&path)
                .ok()
                .and_then(|bytes| file::decode(&bytes, SystemTime::now()));
            let mut state = self.state();
            let purged = found.is_none_or(|file| {
                let mut variants = file.variants.iter();
                variants.any(|stored| state.purges.removes(&file.key, stored, file.kept))
            });
            if purged {
                state.index.remove(&name);
                drop(state);
                let _ = fs::remove_file(path);
            }
        }
        let mut state = self.state();
        state.purges.are_done(began);
        self.metrics.disk(state.index.bytes(), state.index.len());
        drop(state);
        self.write_down();
    }
}
