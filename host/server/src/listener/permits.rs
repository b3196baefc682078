//! How many connections a listener may have open at once. A reload may change it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A permit for each connection, shared by the listener's workers.
#[derive(Debug)]
pub struct Permits {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl Permits {
    /// So many permits.
    pub fn new(count: usize) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        Self {
            semaphore: Arc::new(Semaphore::new(count)),
            count,
        }
    }

    /// The permits, for those who accept.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Changes their number. Connections above it stay open, and none is accepted until enough of them have ended.
    /// Must be called within a runtime.
    pub fn set(&mut self, count: usize) {
        let count = count.min(Semaphore::MAX_PERMITS);
        let fewer = self.count.saturating_sub(count);
        self.semaphore.add_permits(count.saturating_sub(self.count));
        self.count = count;
        let in_use = fewer - self.semaphore.forget_permits(fewer);
        for _ in 0..in_use {
            let mut permit = Box::pin(Arc::clone(&self.semaphore).acquire_owned());
            // Asked for now and not when the task begins: whoever comes later is served later.
            if let Some(permit) = (&mut permit).now_or_never() {
                permit.into_iter().for_each(OwnedSemaphorePermit::forget);
                continue;
            }
            tokio::spawn(async move { permit.await.into_iter().for_each(OwnedSemaphorePermit::forget) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_above_a_new_limit_end_before_another_is_accepted() {
        let mut permits = Permits::new(3);
        let semaphore = Arc::clone(permits.semaphore());
        let first = Arc::clone(&semaphore).acquire_owned().await.unwrap();
        let second = Arc::clone(&semaphore).acquire_owned().await.unwrap();
        permits.set(1);
        tokio::task::yield_now().await;
        assert!(semaphore.try_acquire().is_err());
        drop(first);
        tokio::task::yield_now().await;
        assert!(semaphore.try_acquire().is_err());
        drop(second);
        assert!(semaphore.try_acquire().is_ok());
        permits.set(2);
        let both = semaphore.try_acquire_many(2);
        assert!(both.is_ok());
    }
}
