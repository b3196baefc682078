//! Interim responses on their way to a client, between whoever has them and whoever writes to the connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures_util::task::AtomicWaker;
use gatewright_core::Interim;
use http::{HeaderMap, Response, StatusCode};

/// Interim responses that may wait at once; an upstream may send no more before its response.
const WAITING: usize = 8;

/// Interim responses of the request that is being served.
#[derive(Debug, Default)]
pub struct Interims {
    waiting: Mutex<Vec<Response<()>>>,
    /// Some are waiting, or on their way. Looked at with every write, so that nothing else has to be.
    any: AtomicBool,
    /// Sends them.
    sender: AtomicWaker,
    /// Waits until they are sent.
    handler: AtomicWaker,
}

impl Interims {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Who is to be woken when there is one.
    pub fn register(&self, sender: &Waker) {
        self.sender.register(sender);
    }

    /// Whether there are some that have not been sent.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Takes those that wait.
    pub fn take(&self) -> Vec<Response<()>> {
        if !self.any() {
            return Vec::new();
        }
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of them have been sent.
    pub fn sent(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            self.any.store(false, Ordering::Release);
            self.handler.wake();
        }
    }

    /// Waits until all of them have been sent: the response comes after them.
    pub async fn delivered(&self) {
        std::future::poll_fn(|context| {
            self.handler.register(context.waker());
            if self.any() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Interim for Interims {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        let mut interim = Response::new(());
        *interim.status_mut() = status;
        *interim.headers_mut() = headers;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.push(interim);
            self.any.store(true, Ordering::Release);
        }
        drop(waiting);
        self.sender.wake();
    }
}
