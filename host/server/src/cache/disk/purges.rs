//! What was purged since files were last looked through. It is written down, so that a gateway that stops in between does not serve
//! it again.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::file::milliseconds;
use super::private;
use crate::cache::key::Target;
use crate::cache::purge::{Purge, Wanted};
use crate::cache::stored::Stored;

/// Where it is written.
const FILE: &str = "purges";
/// More than that are one of all.
const MOST: usize = 1000;

/// What was purged.
pub(super) struct Purges {
    all: Vec<Purged>,
    /// Counts up with each.
    number: u64,
}

struct Purged {
    number: u64,
    line: Line,
    wanted: Wanted,
}

#[derive(Clone, Deserialize, Serialize)]
struct Line {
    /// Milliseconds since 1970.
    at: u64,
    purge: Purge,
}

impl Purged {
    fn of(line: Line) -> Option<Self> {
        let wanted = line.purge.wanted().ok()?;
        // The number is given when it is noted.
        let number = 0;
        Some(Self { number, line, wanted })
    }

    fn all(at: u64) -> Option<Self> {
        let purge = Purge {
            all: true,
            ..Purge::default()
        };
        Self::of(Line { at, purge })
    }
}

impl Purges {
    /// What the last process has left to do. Of what cannot be read nobody knows what it meant: it is all.
    pub(super) fn load(directory: &Path) -> Self {
        let mut purges = Self {
            all: Vec::new(),
            number: 0,
        };
        let text = match fs::read_to_string(directory.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return purges,
            Err(_) => "?".to_owned(),
        };
        let lines = text.lines().map(|line| Purged::of(serde_json::from_str(line).ok()?));
        match lines.collect::<Option<Vec<_>>>() {
            Some(all) => all.into_iter().for_each(|purged| purges.add(purged)),
            None => {
                tracing::warn!("it cannot be read what was purged of the responses on disk: none of them is used");
                Purged::all(milliseconds(SystemTime::now()))
                    .into_iter()
                    .for_each(|all| purges.add(all));
            }
        }
        purges
    }

    fn add(&mut self, purged: Purged) {
        self.number += 1;
        let number = self.number;
        self.all.push(Purged { number, ..purged });
    }

    /// The number of the last one that is not done; zero when there is none.
    pub(super) fn last(&self) -> u64 {
        self.all.last().map_or(0, |purged| purged.number)
    }

    /// Whether a response was purged after it was kept.
    pub(super) fn removes(&self, key: &[u8], stored: &Stored, kept: SystemTime) -> bool {
        let (kept, target) = (milliseconds(kept), Target::of(key));
        let mut after = self.all.iter().filter(|purged| purged.line.at >= kept);
        after.any(|Purged { wanted, .. }| {
            target.as_ref().is_none_or(|target| wanted.is_of_key(target)) || wanted.is_of_response(stored)
        })
    }

    /// Something was purged now.
    pub(super) fn note(&mut self, wanted: &Wanted) {
        let line = Line {
            at: milliseconds(SystemTime::now()),
            purge: wanted.purge.clone(),
        };
        let noted = if self.all.len() >= MOST {
            self.all.clear();
            Purged::all(line.at)
        } else {
            Purged::of(line)
        };
        noted.into_iter().for_each(|purged| self.add(purged));
    }

    /// Those up to this one have been looked for.
    pub(super) fn are_done(&mut self, last: u64) {
        self.all.retain(|purged| purged.number > last);
    }

    /// As they are written down.
    pub(super) fn text(&self) -> String {
        let lines = self
            .all
            .iter()
            .filter_map(|purged| serde_json::to_string(&purged.line).ok());
        lines.map(|line| line + "\n").collect()
    }
}

/// Writes it down.
pub(super) fn write(text: &str, directory: &Path) -> io::Result<()> {
    let unfinished = directory.join("purges.part");
    private(&unfinished)?.write_all(text.as_bytes())?;
    fs::rename(unfinished, directory.join(FILE))
}
