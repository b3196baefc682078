//! The future of one step of an exchange. Most stages decide at once, so a step that is ready costs neither an
//! allocation nor a poll; one that waits is boxed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a stage or an integration returns: a value that is there, or a future of it.
#[must_use = "a step does nothing unless awaited"]
pub enum Step<'a, T> {
    /// Decided without waiting. `None` once it has been taken.
    Ready(Option<T>),
    /// Waits for something.
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Step<'a, T> {
    /// A step that is decided.
    pub fn ready(value: T) -> Self {
        Self::Ready(Some(value))
    }

    /// A step that waits.
    pub fn waiting(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self::Waiting(Box::pin(future))
    }
}

// The value of a ready step is moved out whole, never pinned.
impl<T> Unpin for Step<'_, T> {}

impl<T> Future for Step<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            // Polling after completion is the caller's error; waiting for ever is the harmless answer.
            Self::Ready(value) => value.take().map_or(Poll::Pending, Poll::Ready),
            Self::Waiting(future) => future.as_mut().poll(context),
        }
    }
}
