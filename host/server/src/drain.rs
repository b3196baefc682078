//! How the gateway stops: it says so, then takes no more, then lets what runs come to its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::{mpsc, watch};

/// Where the gateway is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serves.
    Serving,
    /// Still serves, but is not ready any more, and asks every client to come back on another connection.
    Leaving,
    /// Accepts nothing; connections end after the exchange in flight.
    Closing,
}

/// Begins the end.
#[derive(Debug)]
pub struct Drainer {
    phase: watch::Sender<Phase>,
    current: Arc<AtomicU8>,
    // Open as long as a `Drain` lives.
    ended: mpsc::Receiver<()>,
}

/// Tells a connection or a listener of the end, and holds the gateway up until dropped.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: watch::Receiver<Phase>,
    // The phase again, for those who look at it with every request: reading it takes no lock.
    current: Arc<AtomicU8>,
    _alive: mpsc::Sender<()>,
}

/// A drain, and the handle that begins it.
pub fn new() -> (Drainer, Drain) {
    let (sender, phase) = watch::channel(Phase::Serving);
    let (alive, ended) = mpsc::channel(1);
    let current = Arc::new(AtomicU8::new(Phase::Serving as u8));
    let drainer = Drainer {
        phase: sender,
        current: Arc::clone(&current),
        ended,
    };
    let drain = Drain {
        phase,
        current,
        _alive: alive,
    };
    (drainer, drain)
}

impl Drainer {
    /// Goes on to a later phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
                // Before anybody is woken, so that who is woken sees it.
                self.current.store(phase as u8, Ordering::Release);
            }
            later
        });
    }

    /// Where the gateway is.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Whether every [`Drain`] has been dropped.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.ended.try_recv(), Err(mpsc::error::TryRecvError::Disconnected))
    }

    /// Waits until every [`Drain`] has been dropped.
    pub async fn ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }
}

impl Drain {
    /// Whether clients are asked to go.
    pub fn is_leaving(&self) -> bool {
        self.current.load(Ordering::Acquire) >= Phase::Leaving as u8
    }

    /// Waits until the client should go. One that came after the others were asked to may stay until the end.
    pub async fn parting(&mut self) {
        let parting = if self.is_leaving() {
            Phase::Closing
        } else {
            Phase::Leaving
        };
        self.reached(parting).await;
    }

    /// Waits until nothing new is accepted.
    pub async fn closing(&mut self) {
        self.reached(Phase::Closing).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // An error means that the gateway is gone, which is as good a reason to close.
        let mut reached = pin!(self.phase.wait_for(|current| *current >= phase));
        let mut bell: Option<Arc<Bell>> = None;
        poll_fn(|context| {
            if bell.as_ref().is_some_and(|bell| bell.is_silent(context.waker())) {
                return Poll::Pending;
            }
            let new = Arc::new(Bell {
                waker: context.waker().clone(),
                rung: AtomicBool::new(false),
            });
            bell = Some(Arc::clone(&new));
            let waker = Waker::from(new);
            reached.as_mut().poll(&mut Context::from_waker(&waker)).map(drop)
        })
        .await;
    }
}

/// A connection's task looks after the phase whenever it is woken, hardly ever by the phase, and looking takes locks
/// that all connections share. So it looks only when this has rung.
struct Bell {
    waker: Waker,
    rung: AtomicBool,
}

impl Bell {
    /// Whether it has not rung, and would ring where it should.
    fn is_silent(&self, waker: &Waker) -> bool {
        !self.rung.load(Ordering::Acquire) && self.waker.will_wake(waker)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_the_end_is_told_of_it_after_every_phase_before() {
        let (drainer, drain) = new();
        let waiting = |mut drain: Drain| tokio::spawn(async move { drain.closing().await });
        let tasks: Vec<_> = (0..3).map(|_| waiting(drain.clone())).collect();
        for phase in [Phase::Leaving, Phase::Closing] {
            assert!(tasks.iter().all(|task| !task.is_finished()));
            drainer.enter(phase);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn without_a_gateway_nobody_waits() {
        let (drainer, mut drain) = new();
        let waiting = tokio::spawn(async move { drain.closing().await });
        tokio::task::yield_now().await;
        drop(drainer);
        waiting.await.unwrap();
    }
}
