//! The store's directory: that nobody else can write into it, its key, and files that appear whole.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime_wasi::Rng as _;

const KEY_FILE: &str = "key";
/// How the extensions of files begin that are being written.
const TEMPORARY: &str = "tmp-";

/// The store's key: as long as a block of the hash, so that it is used as it is.
pub(super) type Key = [u8; 64];

/// Why a directory cannot be the store.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It is not there and cannot be made, not written, or another user's.
    Unusable(io::Error),
    /// Others can write into it.
    Unsafe(String),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error)
    }
}

/// Makes the directory, or checks the one that is there.
pub(super) fn prepare(path: &Path) -> Result<(), Unfit> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
        _ => {}
    }
    check(path)
}

/// Checks the directory, which must be there.
pub(super) fn check(path: &Path) -> Result<(), Unfit> {
    let metadata = fs::symlink_metadata(path)?;
    let user = rustix::process::geteuid().as_raw();
    let unsafe_for = |reason: String| Err(Unfit::Unsafe(reason));
    if metadata.file_type().is_symlink() {
        return unsafe_for("it is a symbolic link; name the directory itself".to_owned());
    }
    if !metadata.is_dir() {
        return unsafe_for("it is not a directory".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return unsafe_for(format!(
            "others may write into it (mode {:o}), and what is in it is executed; `chmod 700` it",
            metadata.mode() & 0o7777
        ));
    }
    // What is in it is executed. A command that somebody ran as another user may have left it behind, which is no reason
    // not to serve.
    if metadata.uid() != user {
        return Err(Unfit::Unusable(io::Error::other(format!(
            "it belongs to user {}, and this process runs as user {user}; give it to this user, or choose another `store`",
            metadata.uid()
        ))));
    }
    Ok(())
}

fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process was faster; it is checked all the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// The store's key, made at first use. One of the wrong size is replaced: the entries under it are misses then.
pub(super) fn key(directory: &Path) -> io::Result<Key> {
    match read_key(directory) {
        Ok(key) => return Ok(key),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {}
        Err(error) => return Err(error),
    }
    let mut key = [0; 64];
    wasmtime_wasi::thread_rng().fill_bytes(&mut key);
    write_whole(&directory.join(KEY_FILE), &key[..])?;
    // Read back: of two processes that start at once, both use the key that is there in the end.
    read_key(directory)
}

/// The store's key, which must be there.
pub(super) fn read_key(directory: &Path) -> io::Result<Key> {
    let path = directory.join(KEY_FILE);
    if fs::symlink_metadata(&path)?.file_type().is_symlink() {
        return Err(io::Error::other("the key is a symbolic link"));
    }
    let mut key = [0; 64];
    File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

/// Writes a file that is there whole or not at all: temporary file, flush to the disk, rename.
pub(super) fn write_whole(path: &Path, content: impl Read) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{TEMPORARY}{}-{number}", std::process::id()));
    let written = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of it would only take room.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Whether a file with this extension is being written.
pub(super) fn is_temporary(extension: &OsStr) -> bool {
    extension.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

fn write(path: &Path, mut content: impl Read) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(&mut content, &mut file)?;
    file.sync_all()
}
