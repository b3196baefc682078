//! What was spent of quotas, in a file: a gateway that starts again goes on where it was.
//!
//! The file is written whole, beside the old one, and takes its place by rename, so that there always is one that is whole.
//! It has digests of keys, and no keys.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;

use gatewright_config::{ConfigError, FileReference, StateConfig};

use super::embedded::{Count, CountId};
use super::scoped::Scoped;
use crate::words;

/// The first line, before the number of those that follow.
const HEAD: &str = "gatewright quotas 1";
/// Bytes of a file. What is longer is another file: the most counts there can be take a fifth of it.
const LONGEST: u64 = 1 << 30;

/// Why there can be no snapshot.
#[derive(Debug)]
pub struct SnapshotError {
    file: FileReference,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// The file cannot be read.
    Read(io::Error),
    /// It is not a snapshot, or not a whole one.
    Damaged(String),
    /// The file cannot be written.
    Write(io::Error),
    /// There is no thread for it.
    Thread(io::Error),
}

impl SnapshotError {
    /// What is wrong, where the configuration names the file.
    pub fn mistake(&self) -> ConfigError {
        let Self { file, fault } = self;
        let path = file.path.display();
        match fault {
            Fault::Read(error) => words::unreadable(file, error),
            Fault::Write(error) => words::unwritable(file, "write", error),
            Fault::Damaged(what) => {
                let mistake = file
                    .place
                    .mistake(format_args!("{path} is not a snapshot of this gateway: {what}"));
                mistake.with_hint("move it away to begin with nothing spent")
            }
            Fault::Thread(error) => {
                let reason = gatewright_config::reason(error);
                let mistake = file
                    .place
                    .mistake(format_args!("there is no thread to write {path}: {reason}"));
                mistake.with_hint("let this user start more threads")
            }
        }
    }
}

/// Writes snapshots; a last one when it is dropped.
pub struct Snapshots {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshots {
    /// Takes up what was written last, and writes from now on.
    ///
    /// # Errors
    /// When the file cannot be used; what a later failure is, is logged and tried again.
    pub fn start(config: &StateConfig, state: Arc<Scoped>) -> Result<Option<Self>, SnapshotError> {
        let Some(file) = &config.snapshot else {
            return Ok(None);
        };
        let failed = |fault| SnapshotError {
            file: file.clone(),
            fault,
        };
        let path = file.path.clone();
        let interval = config.interval;
        let counts = read(&path).map_err(failed)?;
        // What cannot be written is said now, and not when it is needed.
        write(&path, &counts).map_err(|error| failed(Fault::Write(error)))?;
        state.restore(counts);
        let (stop, stopped) = mpsc::channel();
        let keep = move || {
            let mut ill = false;
            loop {
                let ends = stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout);
                if let Some(counts) = state.changed_counts() {
                    keep(&path, &counts, &state, &mut ill);
                }
                if ends {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(keep);
        Ok(Some(Self {
            stop: Some(stop),
            thread: Some(thread.map_err(|error| failed(Fault::Thread(error)))?),
        }))
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes, and says once that it cannot, and once that it can again.
fn keep(path: &Path, counts: &[(CountId, Count)], state: &Scoped, ill: &mut bool) {
    match write(path, counts) {
        Ok(()) if *ill => {
            *ill = false;
            tracing::info!(path = %path.display(), "the snapshot of quotas is written again");
        }
        Ok(()) => {}
        Err(error) => {
            state.not_written();
            if !*ill {
                *ill = true;
                tracing::error!(path = %path.display(), %error, "cannot write the snapshot of quotas; trying again");
            }
        }
    }
}

fn write(path: &Path, counts: &[(CountId, Count)]) -> io::Result<()> {
    let mut text = format!("{HEAD} {}\n", counts.len());
    for (id, count) in counts {
        for byte in id {
            let _ = write!(text, "{byte:02x}");
        }
        let Count {
            start,
            end,
            used,
            untold,
            corrections,
        } = count;
        let _ = writeln!(text, " {start} {end} {used} {untold} {corrections}");
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// The counts of a file, for somebody who may be another user than the gateway: none when there is no file, or it may not be
/// read.
///
/// # Errors
/// When it is not a snapshot, or cannot be read for another reason.
pub fn look(file: &FileReference) -> Result<Vec<(CountId, Count)>, SnapshotError> {
    match read(&file.path) {
        Err(Fault::Read(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        counts => counts.map_err(|fault| SnapshotError {
            file: file.clone(),
            fault,
        }),
    }
}

/// The counts of a file; none when there is no file.
fn read(path: &Path) -> Result<Vec<(CountId, Count)>, Fault> {
    let text = match text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::Read(error)),
    };
    let damaged = Fault::Damaged;
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix(HEAD));
    let promised: usize = head
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| damaged(format!("its first line is not `{HEAD} NUMBER`")))?;
    let mut counts = Vec::new();
    for (number, line) in lines.enumerate() {
        let count = parse(line).ok_or_else(|| damaged(format!("line {} is not a count", number + 2)))?;
        counts.push(count);
    }
    if counts.len() != promised {
        return Err(damaged(format!("it has {} counts instead of {promised}", counts.len())));
    }
    Ok(counts)
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(line: &str) -> Option<(CountId, Count)> {
    let mut words = line.split(' ');
    let digits = words.next().filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    let mut id = CountId::default();
    for (index, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    let mut number = || words.next()?.parse().ok();
    let count = Count {
        start: number()?,
        end: number()?,
        used: number()?,
        untold: number()?,
        corrections: number()?,
    };
    words.next().is_none().then_some((id, count))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright_config::Place;

    use super::*;
    use crate::telemetry::StateMetrics;
    use gatewright_core::{Limit, Period, Quota, Scope, State as _, Step};

    fn spend(state: &Scoped) -> u64 {
        let limit = Limit {
            name: "a",
            scope: Scope::Instance,
        };
        let quota = Quota {
            limit: 10,
            period: Period::Month,
        };
        match state.spend(limit, "k", quota, 1) {
            Step::Ready(Some(Ok(spent))) => spent.used,
            _ => panic!("it is counted here and at once"),
        }
    }

    fn start(path: &Path) -> Result<(Arc<Scoped>, Option<Snapshots>), SnapshotError> {
        let state = Arc::new(Scoped::new(None, StateMetrics::default()));
        let config = StateConfig {
            snapshot: Some(FileReference {
                path: path.to_owned(),
                place: Place::nowhere(),
            }),
            interval: Duration::from_secs(3600),
        };
        let snapshots = Snapshots::start(&config, Arc::clone(&state))?;
        Ok((state, snapshots))
    }

    #[test]
    fn what_was_spent_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quotas");
        for expected in [1, 2, 3] {
            let (state, snapshots) = start(&path).unwrap();
            assert_eq!(spend(&state), expected);
            drop(snapshots);
        }
    }

    #[test]
    fn a_file_that_is_not_whole_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quotas");
        let (state, snapshots) = start(&path).unwrap();
        spend(&state);
        drop(snapshots);
        let whole = fs::read_to_string(&path).unwrap();
        for length in 0..whole.len() - 1 {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(
                    start(&path),
                    Err(SnapshotError {
                        fault: Fault::Damaged(_),
                        ..
                    })
                ),
                "{length}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), whole[..length]);
        }
        for wrong in [
            "gatewright quotas 2 0\n",
            "gatewright quotas 1 1\nxyz 1 2 3 0 0\n",
            "\u{0}",
        ] {
            fs::write(&path, wrong).unwrap();
            assert!(
                matches!(
                    start(&path),
                    Err(SnapshotError {
                        fault: Fault::Damaged(_),
                        ..
                    })
                ),
                "{wrong}"
            );
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(
            start(&path),
            Err(SnapshotError {
                fault: Fault::Read(_),
                ..
            })
        ));
    }
}
