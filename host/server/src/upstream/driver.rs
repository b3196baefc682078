//! Drives an upstream's connection, and no oftener than there is something to do.
//!
//! hyper wakes a connection whenever a piece of a response's body has been taken from it, after the last piece too,
//! when nothing is left to be read: one turn in three would be for nothing. Whoever takes the last piece keeps hyper
//! from doing so; a connection that had to hear of it all the same would do so with the next request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

pin_project_lite::pin_project! {
    /// The task of a connection.
    pub struct Driver<C> {
        #[pin]
        connection: C,
        calls: Calls,
        waker: Waker,
    }
}

/// Calls for a connection's task.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    task: AtomicWaker,
    held: AtomicBool,
    /// Somebody has called while calls were held back.
    missed: AtomicBool,
}

/// Holds calls back while it lives.
pub struct Hold<'a>(&'a Bell);

impl<C> Driver<C> {
    /// Drives `connection`.
    pub fn new(connection: C) -> (Self, Calls) {
        let calls = Calls::default();
        let driver = Self {
            connection,
            calls: calls.clone(),
            waker: Waker::from(Arc::clone(&calls.0)),
        };
        (driver, calls)
    }
}

impl<C: Future> Future for Driver<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C::Output> {
        let this = self.project();
        this.calls.0.task.register(context.waker());
        this.connection.poll(&mut Context::from_waker(this.waker))
    }
}

impl Calls {
    /// From now on calls are held back. On the thread of the connection's task, and for no longer than a call to hyper:
    /// what the connection's socket has to say must not be missed.
    pub fn hold(&self) -> Hold<'_> {
        self.0.held.store(true, Ordering::Relaxed);
        Hold(&self.0)
    }
}

impl Hold<'_> {
    /// There is nothing to do for who was called.
    pub fn forget(self) {
        self.0.missed.store(false, Ordering::Relaxed);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Relaxed);
        if self.0.missed.swap(false, Ordering::Relaxed) {
            self.0.task.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.held.load(Ordering::Relaxed) {
            self.missed.store(true, Ordering::Relaxed);
        } else {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_call_that_was_held_back_comes_later_unless_it_is_forgotten() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let caller = AtomicWaker::new();
        let (driver, calls) = Driver::new(poll_fn(|context| {
            caller.register(context.waker());
            Poll::<()>::Pending
        }));
        let mut driver = pin!(driver);
        let mut woken = |is_forgotten: Option<bool>| {
            assert!(driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let hold = is_forgotten.map(|_| calls.hold());
            caller.wake();
            let at_once = task.0.swap(0, Ordering::Relaxed);
            match hold {
                Some(hold) if is_forgotten == Some(true) => hold.forget(),
                hold => drop(hold),
            }
            (at_once, task.0.swap(0, Ordering::Relaxed))
        };
        assert_eq!(woken(None), (1, 0));
        assert_eq!(woken(Some(false)), (0, 1));
        assert_eq!(woken(Some(true)), (0, 0));
        assert_eq!(woken(None), (1, 0), "nothing is held back any more");
    }
}
