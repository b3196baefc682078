//! The compiled-code store: what the compiler made of a component, kept so that it is made once.
//!
//! Mapping an entry means executing it, so an entry counts only when this store wrote it: the directory belongs to
//! the gateway alone, each entry has a MAC under the store's own random key, and it is checked before the file is
//! mapped. Entries are named after what they were made of, appear by rename and are never written again; whatever is
//! wrong with one, it is a miss and the component is compiled again.

mod directory;

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
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
/// A temporary file this old is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(3600);
/// How much of an entry is read at once.
const PIECE_BYTES: usize = 64 << 10;
const CODE: &str = "cwasm";
const MAC: &str = "mac";

/// A directory of compiled components.
pub(crate) struct Artifacts {
    directory: PathBuf,
    key: directory::Key,
}

impl Artifacts {
    /// Opens or makes the store. None when the file system does not allow it: plugins then are compiled at each start.
    ///
    /// # Errors
    /// When somebody else could write into the directory.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, PluginError> {
        match directory::prepare(path) {
            Ok(()) => {}
            Err(directory::Unfit::Unusable(error)) => {
                tracing::warn!(
                    path = %path.display(),
                    "cannot use the compiled-code store, plugins are compiled at every start: {error}"
                );
                return Ok(None);
            }
            Err(directory::Unfit::Unsafe(reason)) => {
                return Err(PluginError::Store {
                    path: path.to_owned(),
                    reason,
                });
            }
        }
        match directory::key(path) {
            Ok(key) => Ok(Some(Self {
                directory: path.to_owned(),
                key,
            })),
            Err(error) => {
                tracing::warn!(
                    path = %path.display(),
                    "cannot use the compiled-code store, plugins are compiled at every start: {error}"
                );
                Ok(None)
            }
        }
    }

    /// The compiled form of the component with that digest, if there is a right one.
    pub(crate) fn find(&self, engine: &Engine, component: &Digest) -> Option<Component> {
        let name = entry_name(engine, component);
        let path = self.path(&name, CODE);
        let code = File::open(&path).ok()?;
        let mac = fs::read(self.path(&name, MAC)).ok()?;
        if self.mac(&name, code).ok()?.verify_slice(&mac).is_err() {
            tracing::warn!(path = %path.display(), "entry of the compiled-code store is not what was written, ignored");
            return None;
        }
        match map(engine, &path) {
            Ok(component) => {
                // Says when it was used last; that it cannot be said does no harm.
                let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                Some(component)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), "entry of the compiled-code store does not load, ignored: {error:#}");
                None
            }
        }
    }

    /// Keeps a compiled component. A failure costs the next start a compilation, so it is only logged.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, code: &Code) {
        let name = entry_name(engine, digest);
        let kept = self.write(&name, code).and_then(|()| self.clean());
        if let Err(error) = kept {
            tracing::warn!(
                path = %self.directory.display(),
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
        for entry in fs::read_dir(&self.directory)? {
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
        self.directory.join(name).with_extension(extension)
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
