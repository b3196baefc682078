//! The files of plugins that have served, so that the version before is one command away.
//!
//! `versions/NAME/DIGEST.wasm`, each with the signature and the tests that it served with, and `versions/NAME/history`,
//! their digests, the newest last. Everything is written aside and renamed, and what is read back must have the digest
//! that it is called by: a crash between two steps leaves a version more or less, never half of one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gatewright_wasm::signature::signature_file;
use sha2::{Digest as _, Sha256};

use crate::assemble::Generation;
use crate::files;
use crate::trial::proof::tests_file;

/// Versions of one plugin that are kept.
const KEPT: usize = 5;
/// The largest signature or file of tests that is kept: none that counts is larger.
const BESIDE_BYTES: u64 = 1 << 20;

/// Keeps what is about to serve: whoever sees it serve can go back to it. That there is nowhere to keep it is no reason not to serve.
pub fn keep(generation: &Generation) {
    let plugins = &generation.config.plugins;
    for plugin in generation.plugins.values().flatten() {
        let summary = plugin.summary();
        let versions = Versions::of(&plugins.versions, &summary.name);
        if let Err(error) = versions.keep(&summary.file, &summary.digest) {
            tracing::warn!(
                plugin = summary.name,
                "cannot keep this version for a roll-back, in {}: {}",
                plugins.versions.display(),
                gatewright_config::reason(&error)
            );
        }
    }
}

/// The versions of one plugin.
pub struct Versions {
    folder: PathBuf,
}

impl Versions {
    /// Those of the plugin of that name.
    pub fn of(folder: &Path, name: &str) -> Self {
        Self {
            folder: folder.join(name),
        }
    }

    /// Digests, the newest last.
    ///
    /// # Errors
    /// What the system says.
    pub fn history(&self) -> io::Result<Vec<String>> {
        let text = match fs::read_to_string(self.folder.join("history")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        // A digest names a file: nothing else may be read from here.
        let is_digest = |line: &&str| line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(text.lines().filter(is_digest).map(str::to_owned).collect())
    }

    /// Puts a version in the place of `file`, with the signature and the tests that it served with. The signature comes
    /// first: a gateway that looks in between sees a pair that does not match, and waits.
    ///
    /// # Errors
    /// When the version is not there or damaged, or something cannot be written.
    pub fn restore(&self, digest: &str, file: &Path) -> io::Result<()> {
        let kept = self.file(digest);
        let bytes = fs::read(&kept)?;
        if hexadecimal(&bytes) != digest {
            return Err(io::Error::other(format!("{} is damaged", kept.display())));
        }
        copy(&signature_file(&kept), &signature_file(file))?;
        copy(&tests_file(&kept), &tests_file(file))?;
        files::replace(file, &bytes)
    }

    /// When a version was kept: when it began to serve, the last time that another had served before it.
    pub fn kept_since(&self, digest: &str) -> Option<SystemTime> {
        fs::metadata(self.file(digest)).ok()?.modified().ok()
    }

    fn keep(&self, file: &Path, digest: &str) -> io::Result<()> {
        let mut history = self.history()?;
        let kept = self.file(digest);
        let is_last = history.last().is_some_and(|last| last == digest) && kept.exists();
        if !is_last {
            let bytes = fs::read(file)?;
            if hexadecimal(&bytes) != digest {
                // It is being replaced; what comes next is kept when it serves.
                return Ok(());
            }
            // What is here may be put in place one day: it is nobody else's to write.
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            files::replace(&kept, &bytes)?;
        }
        copy(&signature_file(file), &signature_file(&kept))?;
        copy(&tests_file(file), &tests_file(&kept))?;
        if is_last {
            return Ok(());
        }
        history.retain(|known| known != digest);
        history.push(digest.to_owned());
        let forgotten: Vec<_> = history.drain(..history.len().saturating_sub(KEPT)).collect();
        files::replace(&self.folder.join("history"), (history.join("\n") + "\n").as_bytes())?;
        for digest in forgotten {
            let kept = self.file(&digest);
            for file in [signature_file(&kept), tests_file(&kept), kept] {
                remove(&file)?;
            }
        }
        Ok(())
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

/// The SHA-256 of these bytes, as a plugin's digest is written.
pub fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes `to` what `from` is, not there included.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match files::read(from, BESIDE_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove(to),
        bytes => {
            let bytes = bytes?;
            match fs::read(to) {
                Ok(there) if there == bytes => Ok(()),
                _ => files::replace(to, &bytes),
            }
        }
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        versions: Versions,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let versions = Versions::of(&folder.path().join("versions"), "a");
            Self { folder, versions }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("a.wasm")
        }

        fn serve(&self, bytes: &str) {
            fs::write(self.file(), bytes).unwrap();
            self.versions
                .keep(&self.file(), &hexadecimal(bytes.as_bytes()))
                .unwrap();
        }
    }

    #[test]
    fn the_last_five_are_kept_each_with_what_it_served_with() {
        let place = Place::new();
        fs::write(signature_file(&place.file()), "signature").unwrap();
        place.serve("1");
        fs::remove_file(signature_file(&place.file())).unwrap();
        fs::write(tests_file(&place.file()), "tests").unwrap();
        ["2", "3", "4", "5", "5", "2"]
            .into_iter()
            .for_each(|bytes| place.serve(bytes));
        let digests = ["1", "3", "4", "5", "2"].map(|bytes| hexadecimal(bytes.as_bytes()));
        assert_eq!(place.versions.history().unwrap(), digests);

        place.versions.restore(&digests[0], &place.file()).unwrap();
        assert_eq!(fs::read(place.file()).unwrap(), b"1");
        assert_eq!(fs::read(signature_file(&place.file())).unwrap(), b"signature");
        assert!(!tests_file(&place.file()).exists());

        place.serve("6");
        assert_eq!(place.versions.history().unwrap()[0], digests[1]);
        assert!(place.versions.restore(&digests[0], &place.file()).is_err(), "forgotten");
        assert_eq!(
            fs::read_dir(&place.versions.folder)
                .unwrap()
                .filter(|entry| {
                    entry
                        .as_ref()
                        .unwrap()
                        .path()
                        .extension()
                        .is_some_and(|ending| ending == "wasm")
                })
                .count(),
            KEPT
        );
    }

    #[test]
    fn what_is_damaged_or_being_replaced_is_left_alone() {
        let place = Place::new();
        place.serve("1");
        let digest = hexadecimal(b"1");
        fs::write(place.versions.file(&digest), "2").unwrap();
        let error = place.versions.restore(&digest, &place.file()).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert_eq!(fs::read(place.file()).unwrap(), b"1");
        // The file is another than the one that was loaded.
        place.versions.keep(&place.file(), &hexadecimal(b"3")).unwrap();
        assert_eq!(place.versions.history().unwrap(), [digest]);
    }
}
