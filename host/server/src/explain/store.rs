//! The last explanations, for the admin address: so many, for so long, and no larger than so much.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_core::ExchangeId;
use serde_json::Value as Json;

/// Explanations that are kept.
const KEPT: usize = 100;
/// For how long.
const LIFETIME: Duration = Duration::from_secs(600);
/// Bytes of one. A request's header section is the largest part, twice.
const BYTES: usize = 256 << 10;

/// The last explanations, the oldest first.
#[derive(Debug, Default)]
pub struct Explanations(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    id: String,
    since: Instant,
    text: String,
}

impl Explanations {
    /// Keeps one; the oldest makes room.
    pub(super) fn keep(&self, id: ExchangeId, explanation: &Json) {
        let mut text = format!("{explanation:#}\n");
        if text.len() > BYTES {
            text = format!("{{\"id\":\"{id}\",\"message\":\"it would have more than {BYTES} bytes\"}}\n");
        }
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept {
            id: id.to_string(),
            since: Instant::now(),
            text,
        });
    }

    /// The explanation with that id, as JSON.
    pub fn find(&self, id: &str) -> Option<String> {
        let kept = self.kept();
        kept.iter().find(|kept| kept.id == id).map(|kept| kept.text.clone())
    }

    /// The newest one.
    pub fn last(&self) -> Option<String> {
        self.kept().back().map(|kept| kept.text.clone())
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.front().is_some_and(|kept| kept.since.elapsed() >= LIFETIME) {
            kept.pop_front();
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ExchangeId {
        ExchangeId { process: 1, number }
    }

    #[test]
    fn the_oldest_makes_room_and_a_large_one_is_not_kept() {
        let explanations = Explanations::default();
        for number in 0..=KEPT as u64 {
            explanations.keep(id(number), &Json::from(number));
        }
        assert_eq!(explanations.find(&id(0).to_string()), None);
        assert_eq!(explanations.find(&id(1).to_string()).as_deref(), Some("1\n"));
        explanations.keep(id(500), &Json::from("x".repeat(BYTES)));
        assert!(explanations.last().unwrap().len() < 200);
    }
}
