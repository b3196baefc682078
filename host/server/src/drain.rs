//! How the gateway stops: it says so, then takes no more, then lets what runs come to its end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Poll, Waker};

use tokio::sync::{mpsc, watch};
use tokio::task::unconstrained;

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

impl Drop for Drainer {
    fn drop(&mut self) {
        // The gateway is gone, which is as good a reason to close.
        self.current.store(Phase::Closing as u8, Ordering::Release);
    }
}

impl Drain {
    /// Whether clients are asked to go.
    pub fn is_leaving(&self) -> bool {
        self.is_in(Phase::Leaving)
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.current.load(Ordering::Acquire) >= phase as u8
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

    /// A connection polls this whenever it is woken, hardly ever by the phase: as long as that has not changed and the
    /// same task is to be told, there is nothing to do.
    async fn reached(&mut self, phase: Phase) {
        let mut told: Option<(u8, Waker)> = None;
        let mut receiver = self.phase.clone();
        // Unconstrained: what is out of budget asks to be polled again without having left its waker anywhere.
        let mut reached: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(unconstrained(async move {
            let _ = receiver.wait_for(|current| *current >= phase).await;
        }));
        poll_fn(|context| {
            let now = self.current.load(Ordering::Acquire);
            if let Some((then, waker)) = &told
                && *then == now
                && waker.will_wake(context.waker())
            {
                return Poll::Pending;
            }
            told = Some((now, context.waker().clone()));
            reached.as_mut().poll(context)
        })
        .await;
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
