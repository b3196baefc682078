//! How the gateway stops: it says so, then takes no more, then lets what runs come to its end.

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
    // Open as long as a `Drain` lives.
    ended: mpsc::Receiver<()>,
}

/// Tells a connection or a listener of the end, and holds the gateway up until dropped.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: watch::Receiver<Phase>,
    _alive: mpsc::Sender<()>,
}

/// A drain, and the handle that begins it.
pub fn new() -> (Drainer, Drain) {
    let (sender, phase) = watch::channel(Phase::Serving);
    let (alive, ended) = mpsc::channel(1);
    (Drainer { phase: sender, ended }, Drain { phase, _alive: alive })
}

impl Drainer {
    /// Goes on to a later phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
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
        *self.phase.borrow() > Phase::Serving
    }

    /// Waits until the client should go. One that came after the others were asked to may stay until the end.
    pub async fn parting(&mut self) {
        let parting = if self.is_leaving() {
            Phase::Closing
        } else {
            Phase::Leaving
        };
        let _ = self.phase.wait_for(|phase| *phase >= parting).await;
    }

    /// Waits until nothing new is accepted.
    pub async fn closing(&mut self) {
        // An error means that the gateway is gone, which is as good a reason to close.
        let _ = self.phase.wait_for(|phase| *phase >= Phase::Closing).await;
    }
}
