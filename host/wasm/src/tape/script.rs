//! Answers of services in the order in which they are asked for, and what was asked instead.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gatewright_config::cases::{CaseCall, ServiceAnswer};

use crate::recording::REDACTED;

/// Every call of a service that a plugin makes, in its order, with the answer.
pub struct Script {
    calls: Vec<CaseCall>,
    /// Each call of the plugin begins anew.
    again: bool,
    played: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    next: usize,
    diverged: Option<Divergence>,
}

/// Where a plugin does something else than a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// What the script has; none when it has come to its end.
    pub scripted: Option<String>,
    /// What the plugin asked for; none when it asked no more.
    pub asked: Option<String>,
}

impl Script {
    /// Of these calls; for one call of a plugin, or for one after the other.
    pub fn new(calls: &[CaseCall], again: bool) -> Self {
        Self {
            calls: calls.to_vec(),
            again,
            played: Mutex::default(),
        }
    }

    /// Where the plugin did something else, or has left something out.
    pub fn divergence(&self) -> Option<Divergence> {
        let played = self.lock();
        let left_out = || {
            let call = self.calls.get(played.next)?;
            Some(Divergence {
                scripted: Some(call.ask.clone()),
                asked: None,
            })
        };
        played.diverged.clone().or_else(left_out)
    }

    /// A call of the plugin begins.
    pub(crate) fn begin(&self) {
        if self.again {
            self.lock().next = 0;
        }
    }

    /// The answer to what is asked for now.
    pub(super) fn play(&self, asked: &str) -> Result<ServiceAnswer, String> {
        let mut played = self.lock();
        let scripted = self.calls.get(played.next);
        if let Some(call) = scripted.filter(|call| fits(&call.ask, asked)) {
            played.next += 1;
            return Ok(call.answer.clone());
        }
        let scripted = scripted.map(|call| call.ask.clone());
        let message = match &scripted {
            Some(scripted) => format!("the plugin asked `{asked}` where the script has `{scripted}`"),
            None => format!("the plugin asked `{asked}` after the end of the script"),
        };
        played.diverged.get_or_insert(Divergence {
            scripted,
            asked: Some(asked.to_owned()),
        });
        Err(message)
    }

    fn lock(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `asked` may be what was written down: what is redacted there may have been anything.
fn fits(scripted: &str, asked: &str) -> bool {
    let pieces: Vec<_> = scripted.split(REDACTED).collect();
    let [first, middle @ .., last] = pieces.as_slice() else {
        return scripted == asked;
    };
    let Some(mut rest) = asked.strip_prefix(first) else {
        return false;
    };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(asks: &[&str], again: bool) -> Script {
        let call = |ask: &&str| CaseCall {
            ask: (*ask).to_owned(),
            answer: ServiceAnswer::Done,
        };
        Script::new(&asks.iter().map(call).collect::<Vec<_>>(), again)
    }

    #[test]
    fn what_is_redacted_fits_everything_and_nothing_else_does() {
        for (scripted, asked, fit) in [
            ("kv.get a b", "kv.get a b", true),
            ("kv.get a b", "kv.get a bc", false),
            ("kv.get a [redacted]", "kv.get a anything at all", true),
            ("kv.get a [redacted]", "kv.get b anything", false),
            ("kv.get a x[redacted]y[redacted]z", "kv.get a x1y2z", true),
            ("kv.get a x[redacted]y[redacted]z", "kv.get a x1z", false),
            ("kv.get a [redacted]", "kv.get a [redacted]", true),
        ] {
            assert_eq!(fits(scripted, asked), fit, "{scripted} and {asked}");
        }
    }

    #[test]
    fn calls_are_answered_in_their_order_and_the_first_other_one_is_kept() {
        let script = script(&["clock.unix-nanos", "kv.get a b"], false);
        assert!(script.play("clock.unix-nanos").is_ok());
        let message = script.play("kv.get a c").unwrap_err();
        assert_eq!(
            message,
            "the plugin asked `kv.get a c` where the script has `kv.get a b`"
        );
        assert!(script.play("kv.get a d").is_err());
        let divergence = script.divergence().unwrap();
        assert_eq!(divergence.asked.as_deref(), Some("kv.get a c"));
    }

    #[test]
    fn what_is_not_asked_for_is_a_divergence_and_what_begins_anew_is_none() {
        let one = script(&["kv.get a b"], false);
        assert_eq!(one.divergence().unwrap().scripted.as_deref(), Some("kv.get a b"));
        one.play("kv.get a b").unwrap();
        one.begin();
        assert_eq!(one.divergence(), None);
        assert!(one.play("kv.get a b").is_err());
        let endless = script(&["kv.get a b"], true);
        for _ in 0..3 {
            endless.begin();
            endless.play("kv.get a b").unwrap();
        }
        assert_eq!(endless.divergence(), None);
    }
}
