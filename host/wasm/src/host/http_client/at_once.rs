//! Several futures at once, so many of them at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What all of them come to, in their order. Dropping it drops those that run.
pub(super) async fn at_once<F: Future>(futures: Vec<F>, most: usize) -> Vec<F::Output> {
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < most.max(1)
                && let Some((place, future)) = waiting.next()
            {
                running.push((place, Box::pin(future)));
            }
            let before = done.len();
            running.retain_mut(|(place, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    done.push((*place, output));
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && waiting.len() == 0 {
                return Poll::Ready(());
            }
            // Whoever takes the place of one that is done has to be polled too.
            if done.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn so_many_run_at_a_time_and_the_answers_come_in_order() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |number: usize| {
            let (running, most) = (&running, &most);
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                for _ in 0..10 - number {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::Relaxed);
                number
            }
        };
        assert_eq!(
            at_once((0..10).map(work).collect(), 3).await,
            (0..10).collect::<Vec<_>>()
        );
        assert_eq!(most.load(Ordering::Relaxed), 3);
        assert!(at_once(Vec::<std::future::Ready<()>>::new(), 0).await.is_empty());
    }
}
