//! The compiled-code store: what the compiler made of a component, kept so that it is made once.
//!
//! Mapping an entry means executing it, so an entry counts only when this store wrote it: the directory belongs to
//! the gateway alone, each entry has a MAC under the store's own random key, and it is checked before the file is
//! mapped. Entries are named after what they were made of, appear by rename and are never written again; whatever is
//! wrong with one, it is a miss and the component is compiled again.

mod directory;

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::PluginError;
use crate::compiler::Code;
use crate::digest::Digest;

/// Entries kept; the least recently used go first.
const KEPT: usize = 64;
/// Entries kept in memory where there is no directory to keep them in; the oldest go first.
const REMEMBERED: usize = 8;
/// A temporary file this old is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(3600);
/// How much of an entry is read at once.
const PIECE_BYTES: usize = 64 << 10;
const CODE: &str = "cwasm";
const MAC: &str = "mac";

/// Where compiled code is kept. Clones share what is kept in memory.
#[derive(Clone, Default)]
pub struct CodeStore {
    directory: Option<PathBuf>,
    /// Nothing in the directory is changed.
    read_only: bool,
    memory: Arc<Mutex<Remembered>>,
}

/// Entries in memory, by their names; the oldest first.
type Remembered = VecDeque<(String, Arc<Code>)>;

impl CodeStore {
    /// In this directory, which is made if it is not there.
    #[must_use]
    pub fn kept(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            ..Self::default()
        }
    }

    /// What this directory has is used, and nothing in it is changed: for commands that only look.
    #[must_use]
    pub fn read(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            read_only: true,
            ..Self::default()
        }
    }
}

impl fmt::Debug for CodeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.read_only { "Read" } else { "Kept" };
        f.debug_tuple(name).field(&self.directory).finish()
    }
}

/// The store that is open: a directory, or else memory.
pub(crate) struct Artifacts {
    settings: CodeStore,
    /// None where there is no directory, or none that can be used.
    directory: Option<Directory>,
}

/// A directory of compiled components.
struct Directory {
    path: PathBuf,
    key: directory::Key,
    read_only: bool,
}

impl Artifacts {
    /// Opens the store, and makes its directory where code is to be kept. When the file system does not allow it, plugins
    /// are compiled at each start.
    ///
    /// # Errors
    /// When everybody could write into the directory.
    pub(crate) fn open(settings: &CodeStore) -> Result<Self, PluginError> {
        let path = settings.directory.as_deref();
        let directory = path.map(|path| Directory::open(path, settings.read_only)).transpose()?;
        Ok(Self {
            settings: settings.clone(),
            directory: directory.flatten(),
        })
    }

    /// The compiled form of the component with that digest, if there is a right one.
    pub(crate) fn find(&self, engine: &Engine, component: &Digest) -> Option<Component> {
        let name = entry_name(engine, component);
        let kept = self
            .directory
            .as_ref()
            .and_then(|directory| directory.find(engine, &name));
        kept.or_else(|| {
            let code = self.remembered(&name)?;
            code.map(engine).ok()
        })
    }

    /// Keeps a compiled component: where it cannot be kept on disk, a few of them for the hosts that share this memory.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, code: Code) {
        let name = entry_name(engine, digest);
        match self.directory.as_ref().filter(|directory| !directory.read_only) {
            Some(directory) => directory.keep(&name, &code),
            None => {
                let mut memory = self.memory();
                memory.push_back((name, Arc::new(code)));
                let surplus = memory.len().saturating_sub(REMEMBERED);
                memory.drain(..surplus);
            }
        }
    }

    fn remembered(&self, name: &str) -> Option<Arc<Code>> {
        let memory = self.memory();
        memory
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, code)| Arc::clone(code))
    }

    fn memory(&self) -> MutexGuard<'_, Remembered> {
        self.settings.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    fn open(path: &Path, read_only: bool) -> Result<Option<Self>, PluginError> {
        let key = match read_only {
            true => directory::check(path).and_then(|()| Ok(directory::read_key(path)?)),
            false => directory::prepare(path).and_then(|()| Ok(directory::key(path)?)),
        };
        match key {
            Ok(key) => Ok(Some(Self {
                path: path.to_owned(),
                key,
                read_only,
            })),
            Err(directory::Unfit::Unsafe(reason)) => Err(PluginError::Store {
                path: path.to_owned(),
                reason,
            }),
            // A command that only looks has no use for the advice.
            Err(directory::Unfit::Unusable(_)) if read_only => Ok(None),
            Err(directory::Unfit::Unusable(error)) => {
                tracing::warn!(
                    path = %path.display(),
                    "cannot use the compiled-code store, plugins are compiled at every start: {error}"
                );
                Ok(None)
            }
        }
    }

    fn find(&self, engine: &Engine, name: &str) -> Option<Component> {
        let path = self.path(name, CODE);
        let code = File::open(&path).ok()?;
        let mac = fs::read(self.path(name, MAC)).ok()?;
        if self.mac(name, code).ok()?.verify_slice(&mac).is_err() {
            tracing::warn!(path = %path.display(), "entry of the compiled-code store is not what was written, ignored");
            return None;
        }
        match map(engine, &path) {
            Ok(component) => {
                if !self.read_only {
                    // Says when it was used last; that it cannot be said does no harm.
                    let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                }
                Some(component)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), "entry of the compiled-code store does not load, ignored: {error:#}");
                None
            }
        }
    }

    /// A failure costs the next start a compilation, so it is only logged.
    fn keep(&self, name: &str, code: &Code) {
        let kept = self.write(name, code).and_then(|()| self.clean());
        if let Err(error) = kept {
            tracing::warn!(
                path = %self.path.display(),
                "cannot keep a compiled plugin, it will be compiled again: {error}"
            );
        }
    }

    /// The MAC after the code: an entry without one is none.
    fn write(&self, name: &str, code: &Code) -> io::Result<()> {
        let mac = self.mac(name, code.read()?)?.finalize().into_bytes();
        directory::write_whole(&self.path(name, CODE), code.read()?)?;
        directory::write_whole(&self.path(name, MAC), &*mac)
    }

    fn clean(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let used = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
            let used = used.unwrap_or(SystemTime::UNIX_EPOCH);
            let extension = path.extension().unwrap_or_default();
            if extension == CODE {
                entries.push((used, path));
            } else if directory::is_temporary(extension) && used.elapsed().is_ok_and(|age| age > ABANDONED) {
                // Of a process that ended while it wrote.
                fs::remove_file(path).or_else(gone)?;
            }
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        for (_, path) in entries.into_iter().skip(KEPT) {
            fs::remove_file(path.with_extension(MAC)).or_else(gone)?;
            fs::remove_file(path).or_else(gone)?;
        }
        Ok(())
    }

    /// Over the name too, so that no entry passes for another. Code is never in memory as a whole: it is large, and
    /// memory that was used once stays with the process.
    fn mac(&self, name: &str, mut code: impl Read) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(name.as_bytes());
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match code.read(&mut piece)? {
                0 => return Ok(mac),
                read => mac.update(piece.get(..read).unwrap_or_default()),
            }
        }
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(name).with_extension(extension)
    }
}

/// Maps a compiled component.
#[expect(
    unsafe_code,
    reason = "the file is this store's own work, checked by its MAC, in a directory nobody else writes"
)]
fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were produced by `Engine::precompile_component` of this gateway: the caller has verified the MAC of
    // the file under a key that only this directory holds, and directory and files are writable by this user alone
    // and never modified after their rename, so what is mapped is what was verified.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Component, engine settings, processor and version of wasmtime: whatever changes the code changes the name.
fn entry_name(engine: &Engine, component: &Digest) -> String {
    let mut compatibility = HashInput(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    let mut hash = Sha256::new();
    hash.update(component.bytes());
    hash.update(compatibility.0.finalize());
    hash.update(env!("CARGO_PKG_VERSION"));
    Digest::from(hash).to_string()
}

/// Takes what the engine hashes, whole: 64 bits would do for a table, not for a name.
struct HashInput(Sha256);

impl Hasher for HashInput {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests;
