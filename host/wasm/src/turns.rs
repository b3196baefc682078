//! Guests that compute for longer than a tick take turns, so that a worker looks at its sockets between any two of them.
//!
//! A guest that only yields is ready again at once, and a runtime polls dozens of ready tasks before it looks whether
//! anything has come in: ten guests that loop would cost everybody else on the worker some hundred milliseconds. With
//! turns, one guest computes for one tick, then the worker serves whoever is there, then it is the next guest's tick.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

thread_local! {
    /// A worker's guests wait in line for it. A worker is a thread, and its tasks stay with it.
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// The turns of one call.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    in_line: bool,
}

impl Turns {
    /// Lets everybody else run, and waits until this guest may compute for another tick.
    ///
    /// The first time it does not wait in line: a tick may come right after a call began, and a short one should not
    /// have to wait for those that are long.
    pub(crate) fn next(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match std::mem::replace(&mut self.in_line, true) {
            true => Box::pin(next_in_line()),
            // Ready only after the worker has looked at its sockets and timers.
            false => Box::pin(tokio::task::yield_now()),
        }
    }
}

async fn next_in_line() {
    let turn = TURN.with(Arc::clone).acquire_owned().await;
    tokio::task::yield_now().await;
    // The next in line waits for the next look.
    drop(turn);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const TICK: Duration = Duration::from_millis(1);

    fn compute() {
        let began = Instant::now();
        while began.elapsed() < TICK {
            std::hint::spin_loop();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_comes_in_waits_for_a_tick_or_two_however_many_guests_compute() {
        for _ in 0..50 {
            tokio::spawn(async {
                let mut turns = Turns::default();
                loop {
                    compute();
                    turns.next().await;
                }
            });
        }
        let (mut here, mut there) = tokio::net::UnixStream::pair().unwrap();
        tokio::spawn(async move {
            while let Ok(byte) = there.read_u8().await {
                let _ = there.write_u8(byte).await;
            }
        });
        let began = Instant::now();
        for _ in 0..50 {
            here.write_u8(1).await.unwrap();
            here.read_u8().await.unwrap();
        }
        // Two looks each; without turns it would be some hundred milliseconds each.
        let each = began.elapsed() / 50;
        assert!(each < 20 * TICK, "{each:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_guest_that_is_dropped_in_line_does_not_hold_up_the_others() {
        for _ in 0..10 {
            let waiting = tokio::spawn(next_in_line());
            tokio::task::yield_now().await;
            waiting.abort();
        }
        tokio::time::timeout(Duration::from_secs(10), next_in_line())
            .await
            .unwrap();
    }
}
