//! The files of recordings: written whole, readable by nobody else, and no more of them than may be kept.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Recording;

/// One at a time, so that two do not both find room for the last file.
static TURN: Mutex<()> = Mutex::new(());

/// Writes a recording, on a thread of its own: a worker does not wait for a disk.
pub(super) fn keep(recording: Recording, directory: PathBuf, most_bytes: u64) {
    let name = recording.plugin.clone();
    let write = move || {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        match write(&recording, &directory, most_bytes) {
            Ok(file) => tracing::info!(
                plugin = %recording.plugin,
                rule = %recording.rule,
                file = %file.display(),
                "plugin call written down; `gatewright replay` runs it again"
            ),
            Err(error) => tracing::warn!(
                plugin = %recording.plugin,
                directory = %directory.display(),
                %error,
                "cannot write down a plugin call"
            ),
        }
    };
    let thread = std::thread::Builder::new().name("gatewright-record".to_owned());
    if let Err(error) = thread.spawn(write) {
        tracing::warn!(plugin = %name, %error, "cannot write down a plugin call");
    }
}

fn write(recording: &Recording, directory: &Path, most_bytes: u64) -> io::Result<PathBuf> {
    let text = serde_json::to_string_pretty(recording)?;
    let length = text.len() as u64;
    if length > most_bytes {
        let message = format!("it has {length} bytes, and `directory_bytes` allows {most_bytes}");
        return Err(io::Error::other(message));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    make_room(directory, most_bytes - length)?;
    let Recording {
        unix_ms,
        exchange,
        plugin,
        hook,
        ..
    } = recording;
    let file = directory.join(format!("{unix_ms}-{plugin}-{hook}-{exchange}.json"));
    let aside = file.with_extension("part");
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create_new(true).mode(0o600).open(&aside)?;
    opened.write_all(text.as_bytes())?;
    fs::rename(&aside, &file)?;
    Ok(file)
}

/// The oldest go first; their names begin with the time.
fn make_room(directory: &Path, most_bytes: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == OsStr::new("json"))
        {
            files.push((path, entry.metadata()?.len()));
        }
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, length)| length).sum();
    for (path, length) in files {
        if bytes <= most_bytes {
            break;
        }
        fs::remove_file(path)?;
        bytes = bytes.saturating_sub(length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_make_room_and_nothing_else_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["1-a.json", "2-a.json", "3-a.json", "0-notes.txt"] {
            fs::write(directory.path().join(name), [b' '; 100]).unwrap();
        }
        make_room(directory.path(), 150).unwrap();
        let left = |name: &str| directory.path().join(name).exists();
        assert!(!left("1-a.json") && !left("2-a.json") && left("3-a.json") && left("0-notes.txt"));
    }
}
