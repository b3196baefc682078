//! Files that others read while they are written: whole before, whole after, and nothing between. And files that others
//! wrote: nothing but files, and no more of them than expected.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Reads a file of at most `limit` bytes. What is no file is not opened: a pipe would be waited for.
///
/// # Errors
/// What the system says, and when it is no file or larger.
pub fn read(file: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::other(format!("it has more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// Writes a file aside and renames it, so that nobody sees half of it, a crash included.
///
/// # Errors
/// What the system says. What was there is then still there.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(file);
    let written = write(&aside, bytes).and_then(|()| std::fs::rename(&aside, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut created = File::create(file)?;
    created.write_all(bytes)?;
    created.sync_all()
}

/// In the same folder, hidden, and another for each process.
fn aside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_file_of_the_expected_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert!(read(&file, 4).unwrap_err().to_string().contains("more than 4 bytes"));
        assert!(read(folder.path(), 5).is_err());
        assert_eq!(
            read(&folder.path().join("b"), 5).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        let pipe = folder.path().join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        // It would wait for ever for a writer.
        assert!(read(&pipe, 5).unwrap_err().to_string().contains("not a file"));
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(replace(&taken, b"three").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
