//! File descriptors that are kept for operators. When clients have taken all others, health is what matters most.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::descriptors;

/// Connections that the admin address can accept when nothing else in the process can open a file.
const SIZE: usize = 4;

/// Open files that can be closed to make room.
#[derive(Debug, Default)]
pub(super) struct Reserve(Mutex<Vec<File>>);

impl Reserve {
    /// Opens as many as are missing, as far as that is possible.
    pub(super) fn fill(&self) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while files.len() < SIZE {
            match File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(_) => return,
            }
        }
    }

    /// Makes room, if `error` says that room is missing and there is some left to make.
    pub(super) fn make_room(&self, error: &io::Error) -> bool {
        descriptors::are_exhausted(error) && self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }
}
