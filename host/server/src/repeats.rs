//! One line of the log for each cause and second, with a count of the others: what clients can cause they can cause at any
//! rate, in libraries too, and a log that is full of one cause has no room for another.
//!
//! Only warnings and errors are counted. Whoever switches on more wants to see it, and plugins have bounds of their own.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// What the lines that tell of others are called.
const TARGET: &str = "gatewright::repeats";
/// What plugins say.
const PLUGINS: &str = "gatewright::plugin";
/// How long lines are counted before the count is told.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines of one place in the code that may differ within a window: what differs may be what a client has sent.
const DIFFERENT: u32 = 10;
/// Bytes of a line that a count repeats.
const SHOWN: usize = 200;

static LINES: Mutex<Lines> = Mutex::new(Lines {
    begun: None,
    seen: None,
});

/// Lets the first line of each cause and second through.
#[derive(Clone, Copy, Debug)]
pub struct Repeats;

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || matches!(metadata.target(), TARGET | PLUGINS) {
            return true;
        }
        let (passes, counts) = lines().see(event, Instant::now());
        tell(counts);
        passes
    }
}

/// Tells of lines that were held back more than a second ago.
pub fn flush() {
    let counts = lines().roll(Instant::now());
    tell(counts);
}

fn tell(counts: Vec<Count>) {
    for Count { line, held_back } in counts {
        tracing::warn!(target: TARGET, held_back, "the same within a second: {line}");
    }
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines of the current window.
struct Lines {
    begun: Option<Instant>,
    seen: Option<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By place in the code and what was said.
    causes: HashMap<u64, Count>,
    /// Causes by place in the code.
    different: HashMap<u64, u32>,
}

/// A line, and how many of its like were held back.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    line: String,
    held_back: u64,
}

impl Lines {
    /// Whether this line may be written, and what is to be told of others.
    fn see(&mut self, event: &Event<'_>, now: Instant) -> (bool, Vec<Count>) {
        let counts = self.roll(now);
        self.begun.get_or_insert(now);
        let seen = self.seen.get_or_insert_default();
        let metadata = event.metadata();
        let place = hash(&metadata.callsite());
        let line = Line::of(event);
        // What a library puts into its lines is the client's as often as not.
        let own = metadata.target().starts_with("gatewright");
        let different = seen.different.entry(place).or_default();
        let said = own && *different < DIFFERENT;
        let cause = if said { hash(&(place, &line.0)) } else { place };
        match seen.causes.get_mut(&cause) {
            Some(count) => {
                count.held_back += 1;
                (false, counts)
            }
            None => {
                *different += 1;
                // Beyond the last one that may differ, all others are held back.
                let passes = said || !own;
                let held_back = u64::from(!passes);
                seen.causes.insert(
                    cause,
                    Count {
                        line: line.0,
                        held_back,
                    },
                );
                (passes, counts)
            }
        }
    }

    /// Ends the window if its time is over.
    fn roll(&mut self, now: Instant) -> Vec<Count> {
        if self
            .begun
            .is_none_or(|begun| now.saturating_duration_since(begun) < WINDOW)
        {
            return Vec::new();
        }
        self.begun = None;
        let seen = self.seen.take().unwrap_or_default();
        seen.causes.into_values().filter(|count| count.held_back > 0).collect()
    }
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What an event says, cut off.
#[derive(Default)]
struct Line(String);

impl Line {
    fn of(event: &Event<'_>) -> Self {
        let mut line = Self::default();
        event.record(&mut line);
        line
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.0.len() >= SHOWN {
            return;
        }
        let space = if self.0.is_empty() { "" } else { " " };
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
        let end = self.0.floor_char_boundary(SHOWN);
        self.0.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Collects what gets through.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Written {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Line::of(event).0);
        }
    }

    #[test]
    fn one_line_for_each_cause_and_second_and_a_count_of_the_others() {
        let written = Written::default();
        let subscriber = tracing_subscriber::registry().with(written.clone()).with(Repeats);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..100 {
                tracing::warn!(target: "h2::proto", number, "recv PING ack that we never sent");
                tracing::warn!(target: "gatewright::login", "cannot log in: no");
                tracing::error!(target: "gatewright::login", number, "odd");
                tracing::info!(target: "gatewright::info", "not counted");
            }
        });
        let lines = written.0.lock().unwrap().clone();
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!(count("PING ack"), 1);
        assert_eq!(count("cannot log in"), 1);
        assert_eq!(count("odd"), DIFFERENT as usize);
        assert_eq!(count("not counted"), 100);

        let later = Instant::now() + 2 * WINDOW;
        let mut counts = lines_of(later);
        counts.sort_unstable();
        assert_eq!(counts, [90, 99, 99]);
        assert!(lines_of(later).is_empty());
    }

    fn lines_of(now: Instant) -> Vec<u64> {
        lines().roll(now).into_iter().map(|count| count.held_back).collect()
    }
}
