//! A fetch that is under way, and those who wait for it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// What it brought is kept.
    Kept = 1,
    /// What it brought cannot be kept: waiting for another one makes no sense.
    Refused = 2,
    /// It has brought nothing: whoever fetched has left, or what was kept has changed meanwhile.
    Gone = 3,
}

/// A fetch that is under way.
#[derive(Debug)]
pub(super) struct Flight {
    leads: bool,
    waited_for: AtomicBool,
    end: AtomicU8,
    ended: Notify,
}

impl Flight {
    /// One that has just begun. `leads` says whether others may wait for it.
    pub(super) fn new(leads: bool) -> Self {
        Self {
            leads,
            waited_for: AtomicBool::new(false),
            end: AtomicU8::new(0),
            ended: Notify::new(),
        }
    }

    /// Whether others may wait for it.
    pub(super) fn leads(&self) -> bool {
        self.leads
    }

    /// Somebody is going to wait for it.
    pub(super) fn is_waited_for(&self) {
        self.waited_for.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has waited for it.
    pub(super) fn was_waited_for(&self) -> bool {
        self.waited_for.load(Ordering::Relaxed)
    }

    /// Ends it; the first end counts.
    pub(super) fn end(&self, end: End) {
        let _ = self
            .end
            .compare_exchange(0, end as u8, Ordering::AcqRel, Ordering::Acquire);
        self.ended.notify_waiters();
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> End {
        let mut notified = std::pin::pin!(self.ended.notified());
        // Before looking, so that an end between the two is not missed.
        notified.as_mut().enable();
        if self.how().is_none() {
            notified.await;
        }
        self.how().unwrap_or(End::Gone)
    }

    fn how(&self) -> Option<End> {
        match self.end.load(Ordering::Acquire) {
            0 => None,
            1 => Some(End::Kept),
            2 => Some(End::Refused),
            _ => Some(End::Gone),
        }
    }
}
