//! Times of a client's connection: that a header section takes too long, that nothing has come for a while, that the
//! client does not take what it asked for.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::Reason;
use tokio::time::Instant;

use super::Guard;
use super::look::Look;
use crate::alarm::Alarm;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a header section's first byte to its end.
    pub header: Duration,
    /// Between messages.
    pub idle: Duration,
    /// While it does not take what is written.
    pub write: Duration,
}

/// Why a connection of HTTP/2 is given up. The client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Nothing has been asked for a while.
    Idle = 1,
    /// The client costs too much, or takes too long with what it has begun.
    Calm = 2,
    /// A header block cannot be read.
    Malformed = 3,
}

impl Farewell {
    /// As GOAWAY says it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Idle => Reason::NO_ERROR,
            Self::Calm => Reason::ENHANCE_YOUR_CALM,
            Self::Malformed => Reason::COMPRESSION_ERROR,
        }
    }

    /// The one of that number.
    pub(super) fn of(number: u8) -> Option<Self> {
        [Self::Idle, Self::Calm, Self::Malformed]
            .into_iter()
            .find(|farewell| *farewell as u8 == number)
    }
}

impl<S> Guard<S> {
    /// When the last byte came or the last exchange ended.
    pub(super) fn last_moved(&self) -> Instant {
        self.read_at.max(self.watch.ended_at())
    }

    /// When patience ends, as things stand; none while somebody else keeps the time.
    ///
    /// Only requests renew it: a client that sends something else from time to time has asked for nothing.
    fn deadline(&self) -> Option<Instant> {
        if let Some(since) = self.farewell_at {
            return Some(since + self.patience.write);
        }
        if let Some(since) = self.stalled_at {
            let head = self.head_at.map(|since| since + self.patience.header);
            return [Some(since + self.patience.write), head].into_iter().flatten().min();
        }
        if let Some(since) = self.head_at {
            return Some(since + self.patience.header);
        }
        self.watch.idle_until(self.patience.idle)
    }

    /// Called whenever something has to wait: fails when patience has ended, and sees to a wake-up when it does.
    pub(super) fn wait(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        loop {
            // Nothing to wait for now; look again when an exchange may have ended.
            let deadline = self.deadline().or(self.alarm.deadline());
            let deadline = deadline.unwrap_or_else(|| Instant::now() + self.patience.idle);
            if self.alarm.poll(deadline, context).is_pending() {
                return Ok(());
            }
            self.alarm = Alarm::default();
            if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                return self.give_up(context);
            }
        }
    }

    /// Patience has ended. A client of HTTP/2 that takes what is written is told so.
    fn give_up(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match &self.look {
            Look::Http2(frames) if frames.has_begun() && self.stalled_at.is_none() && self.farewell_at.is_none() => {
                let farewell = if self.head_at.is_some() {
                    Farewell::Calm
                } else {
                    Farewell::Idle
                };
                self.watch.say_goodbye(farewell);
                self.farewell_at = Some(Instant::now());
                context.waker().wake_by_ref();
                Ok(())
            }
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    pub(super) fn after_write<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled_at = None;
        } else {
            self.stalled_at.get_or_insert_with(Instant::now);
            self.wait(context)?;
        }
        result
    }
}

/// Since when the header section that is being read has been so: `before` and `after` are the numbers of those that were
/// being read, if any, before and after bytes that came `now`.
pub(super) fn head_at(
    since: Option<Instant>,
    before: Option<u64>,
    after: Option<u64>,
    now: Instant,
) -> Option<Instant> {
    match after {
        None => None,
        Some(_) if before == after => since.or(Some(now)),
        Some(_) => Some(now),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::watch::{QUIET, Watch};
    use super::*;

    #[test]
    fn a_dismissed_connection_ends_when_it_is_idle_and_neither_before_nor_in_the_middle_of_a_message() {
        let patience = Patience {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
        };
        let now = Instant::now();
        let watch = Watch::opened_at(now);
        let mut guard = Guard::new(tokio::io::empty(), patience, true, 8192, Arc::clone(&watch), |_| {});
        guard.read_at = now + QUIET;
        assert_eq!(
            guard.deadline(),
            Some(now + patience.idle),
            "what is no request renews nothing"
        );
        watch.dismiss();
        assert_eq!(guard.deadline(), Some(now + QUIET));

        guard.head_at = Some(now);
        assert_eq!(
            guard.deadline(),
            Some(now + patience.header),
            "a request is being received"
        );
        guard.head_at = None;
        let (in_flight, _) = watch.begin();
        assert_eq!(guard.deadline(), None, "a request is in flight");
        drop(in_flight);
        guard.stalled_at = Some(now);
        assert_eq!(guard.deadline(), Some(now + patience.write), "a response is being sent");
        guard.stalled_at = None;
        assert_eq!(guard.deadline(), Some(watch.ended_at() + QUIET));
        let parting = now + Duration::from_secs(5);
        watch.part_at(parting);
        assert_eq!(guard.deadline(), Some(parting + QUIET), "its client may not know yet");
    }
}
