//! The signals of a gateway, and what each of them means. `docs/SIGNALS.md` lists them.
//!
//! A signal that is not caught ends the process at once and without a word, so every one that can be caught is, from before
//! the configuration is read; one that has no meaning is a line in the log.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that have a meaning.
const MEANINGS: [(&str, Kind, Meaning); 6] = [
    ("SIGTERM", SignalKind::terminate, Meaning::Stop),
    ("SIGINT", SignalKind::interrupt, Meaning::Stop),
    ("SIGQUIT", SignalKind::quit, Meaning::Stop),
    ("SIGHUP", SignalKind::hangup, Meaning::Reload),
    ("SIGUSR1", SignalKind::user_defined1, Meaning::ReopenLogs),
    ("SIGUSR2", SignalKind::user_defined2, Meaning::HandOver),
];

/// A constructor, because kinds are not constants.
type Kind = fn() -> SignalKind;

/// Others that end a process that does not catch them. Those by which the system tells of a defect are not among them.
const MEANINGLESS: [(&str, i32); 7] = [
    ("SIGALRM", 14),
    ("SIGSTKFLT", 16),
    ("SIGXCPU", 24),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGIO", 29),
    ("SIGPWR", 30),
];
/// A file has become as large as files may be: what is written to it fails from now on, which is said by whoever writes.
const FILE_SIZE: i32 = 25;
/// The real-time signals, which have numbers and no names.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// To stop, letting exchanges in flight end. The second one does not wait for them.
    Stop,
    /// To load configuration and plugins, and to open the log files anew.
    Reload,
    /// To open the log files anew.
    ReopenLogs,
    /// To hand over to another process.
    HandOver,
    /// Nothing.
    Nothing,
}

/// The signals that are caught.
pub(super) struct Signals(Vec<Caught>);

struct Caught {
    name: String,
    meaning: Meaning,
    signal: Signal,
}

impl Signals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// When the system does not let one with a meaning be caught.
    pub(super) fn new() -> io::Result<Self> {
        let mut caught = Vec::new();
        for (name, kind, meaning) in MEANINGS {
            caught.push(Caught {
                name: name.to_owned(),
                meaning,
                signal: signal(kind())?,
            });
        }
        let named = MEANINGLESS.map(|(name, number)| (name.to_owned(), number));
        let numbered = REAL_TIME.map(|number| (format!("signal {number}"), number));
        for (name, number) in named.into_iter().chain(numbered) {
            // Which ones there are is the system's business.
            if let Ok(signal) = signal(SignalKind::from_raw(number)) {
                caught.push(Caught {
                    name,
                    meaning: Meaning::Nothing,
                    signal,
                });
            }
        }
        // Caught as long as the process lives, and never asked for.
        let _ = signal(SignalKind::from_raw(FILE_SIZE));
        Ok(Self(caught))
    }

    /// The next signal: its name, and what it asks for.
    pub(super) async fn next(&mut self) -> (&str, Meaning) {
        let index = poll_fn(|context| {
            let mut caught = self.0.iter_mut();
            match caught.position(|caught| caught.signal.poll_recv(context).is_ready()) {
                Some(index) => Poll::Ready(index),
                None => Poll::Pending,
            }
        })
        .await;
        match self.0.get(index) {
            Some(caught) => (&caught.name, caught.meaning),
            // There is one at each position that was found.
            None => ("", Meaning::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_that_is_caught_is_in_the_page_of_signals() {
        let page = include_str!("../../../../docs/SIGNALS.md");
        let rows = page.lines().filter(|line| line.starts_with("| `SIG"));
        let listed: Vec<_> = rows
            .flat_map(|row| row.split('`').filter(|word| word.starts_with("SIG")))
            .collect();
        for name in MEANINGS
            .map(|(name, ..)| name)
            .into_iter()
            .chain(MEANINGLESS.map(|(name, _)| name))
        {
            assert!(listed.contains(&name), "{name}: {listed:?}");
        }
    }
}
