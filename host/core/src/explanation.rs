//! What the steps of one exchange did, for somebody who has asked for it. Nearly all exchanges have none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Value;

/// Notes of one exchange; a chain has no more steps than fit.
const NOTES: usize = 1_000;

/// The notes of one exchange, in the order in which things happened.
#[derive(Debug, Default)]
pub struct Explanation(Mutex<Vec<Note>>);

/// What somebody on the exchange's way says of itself. Holds no secrets: whoever writes it leaves them out.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// What it is about: `limit`, `plugin-call`.
    pub subject: &'static str,
    /// What there is to say.
    pub facts: Vec<(&'static str, Value)>,
}

impl Explanation {
    /// Adds a note.
    pub fn note(&self, subject: &'static str, facts: impl Into<Vec<(&'static str, Value)>>) {
        let mut notes = self.notes();
        if notes.len() < NOTES {
            notes.push(Note {
                subject,
                facts: facts.into(),
            });
        }
    }

    /// How many notes there are.
    pub fn count(&self) -> usize {
        self.notes().len()
    }

    /// Takes the notes that came after the first `count`.
    pub fn take_after(&self, count: usize) -> Vec<Note> {
        let mut notes = self.notes();
        let count = count.min(notes.len());
        notes.split_off(count)
    }

    fn notes(&self) -> MutexGuard<'_, Vec<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
