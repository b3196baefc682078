//! What services answered in a call, and the chunks of a filter: as much of them as is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatewright_config::cases::{Content, ServiceAnswer};
use gatewright_config::gateway::RecordConfig;
use http::HeaderMap;

use super::{REDACTED, RecordedService};
use crate::tape::Answer;

/// Calls of services that are noted of one call.
const CALLS: usize = 1_000;
/// Bytes that are kept of one value.
const VALUE_BYTES: usize = 64 << 10;
/// Bytes that are kept of all values of a call.
const ALL_BYTES: usize = 1 << 20;

/// The services that a call has used.
#[derive(Debug)]
pub(crate) struct Served {
    config: Arc<RecordConfig>,
    notes: Mutex<Notes>,
}

#[derive(Debug)]
struct Notes {
    calls: Vec<RecordedService>,
    left_out: u64,
    bytes_left: usize,
}

/// Keeps of values what is wanted, and no more than there is room for.
pub(crate) struct Keeper<'a> {
    config: &'a RecordConfig,
    bytes_left: &'a mut usize,
}

impl Served {
    pub(super) fn new(config: Arc<RecordConfig>) -> Self {
        Self {
            config,
            notes: Mutex::new(Notes {
                calls: Vec::new(),
                left_out: 0,
                bytes_left: ALL_BYTES,
            }),
        }
    }

    /// Whether more is noted than how much was answered.
    pub(crate) fn keeps_answers(&self) -> bool {
        self.config.answers
    }

    /// A service is asked. Noted in this order, whichever answers first. The number of the note, if there is one.
    pub(crate) fn asked(&self, ask: String) -> Option<usize> {
        let mut notes = self.lock();
        if notes.calls.len() >= CALLS {
            notes.left_out += 1;
            return None;
        }
        notes.calls.push(RecordedService {
            ask,
            answer: ServiceAnswer::Never,
            us: 0,
        });
        Some(notes.calls.len() - 1)
    }

    /// It has answered.
    pub(crate) fn answered(&self, number: Option<usize>, answer: &impl Answer, nanos: u64) {
        let mut notes = self.lock();
        let Notes { calls, bytes_left, .. } = &mut *notes;
        if let Some(call) = number.and_then(|number| calls.get_mut(number)) {
            let config = &self.config;
            call.answer = answer.noted(&mut Keeper { config, bytes_left });
            call.us = nanos / 1_000;
        }
    }

    /// A chunk of a body.
    pub(super) fn chunk(&self, bytes: &[u8]) -> Content {
        match self.config.bodies {
            true => kept(bytes, &mut self.lock().bytes_left),
            false => Content::redacted(bytes.len()),
        }
    }

    /// All calls that are noted, and how many are not.
    pub(super) fn all(&self) -> (Vec<RecordedService>, u64) {
        let notes = self.lock();
        (notes.calls.clone(), notes.left_out)
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper<'_> {
    /// A value that somebody may want to see.
    pub(crate) fn value(&mut self, bytes: &[u8]) -> Content {
        match self.config.answers {
            true => kept(bytes, self.bytes_left),
            false => Content::redacted(bytes.len()),
        }
    }

    /// One that nobody may.
    pub(crate) fn secret(bytes: &[u8]) -> Content {
        Content::redacted(bytes.len())
    }

    /// Header fields, redacted as those of requests.
    pub(crate) fn fields(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        fields(headers, &self.config.fields)
    }
}

/// Header fields, with the values of these.
pub(super) fn fields(headers: &HeaderMap, shown: &[String]) -> Vec<(String, String)> {
    let value = |name: &str, value: &[u8]| match shown.iter().any(|shown| shown == name) {
        true => String::from_utf8_lossy(value).into_owned(),
        false => REDACTED.to_owned(),
    };
    let fields = headers.iter();
    fields
        .map(|(name, field)| (name.as_str().to_owned(), value(name.as_str(), field.as_bytes())))
        .collect()
}

/// As much of it as there is room for.
fn kept(bytes: &[u8], bytes_left: &mut usize) -> Content {
    let mut length = bytes.len().min(VALUE_BYTES).min(*bytes_left);
    if let (true, Ok(text)) = (length < bytes.len(), std::str::from_utf8(bytes)) {
        // Text stays text.
        length = text.floor_char_boundary(length);
    }
    *bytes_left -= length;
    Content {
        cut_from: (length < bytes.len()).then_some(bytes.len() as u64),
        ..Content::shown(bytes.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_where_there_is_no_more_room_and_say_so() {
        let mut left = VALUE_BYTES + 3;
        assert_eq!(kept(b"all", &mut left), Content::shown(b"all"));
        let long = "ä".repeat(VALUE_BYTES);
        let first = kept(long.as_bytes(), &mut left);
        assert_eq!(first.text.unwrap().len(), VALUE_BYTES);
        assert_eq!(first.cut_from, Some(2 * VALUE_BYTES as u64));
        let nothing = kept(b"more", &mut left);
        assert_eq!((nothing.text, nothing.cut_from), (None, Some(4)));
        // A character is not cut in two.
        let mut left = 3;
        assert_eq!(kept("ää".as_bytes(), &mut left).text.as_deref(), Some("ä"));
    }
}
