//! A timer for waits that follow one another, of which hardly any lasts: setting it costs nothing while it is set to
//! an earlier time already.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is only ever moved to an earlier time. When it goes off too early it is set again, so that many short
/// waits in a row share one entry in the runtime's list of timers. Belongs to the runtime that it first waits in.
#[derive(Debug, Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The task that it wakes, once it is set.
    wakes: Option<Waker>,
}

impl Alarm {
    /// Ready once `deadline` has passed. Sees to it that the task is woken then, and perhaps earlier.
    pub fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        let is_set = self.wakes.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        if is_set && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.wakes = None;
        // A task that has used up its turn must not keep the timer from learning whom to wake.
        while pin!(unconstrained(sleep.as_mut())).poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        self.wakes = Some(context.waker().clone());
        Poll::Pending
    }

    /// When it goes off, as it is set.
    pub fn deadline(&self) -> Option<Instant> {
        self.sleep.as_ref().map(|sleep| sleep.deadline())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    async fn is_pending(alarm: &mut Alarm, deadline: Instant) -> bool {
        poll_fn(|context| Poll::Ready(alarm.poll(deadline, context).is_pending())).await
    }

    #[tokio::test]
    async fn it_goes_off_at_the_deadline_asked_for_last() {
        let (start, mut alarm) = (Instant::now(), Alarm::default());
        assert!(is_pending(&mut alarm, start + Duration::from_secs(600)).await);
        for wait in [20, 40, 30] {
            let deadline = start + Duration::from_millis(wait);
            poll_fn(|context| alarm.poll(deadline, context)).await;
            assert!(Instant::now() >= deadline);
        }
        assert!(is_pending(&mut alarm, start + Duration::from_secs(600)).await);
    }

    #[tokio::test]
    async fn it_wakes_the_task_that_waits_now() {
        let (deadline, mut alarm) = (Instant::now() + Duration::from_millis(20), Alarm::default());
        let mut another = Context::from_waker(Waker::noop());
        assert!(alarm.poll(deadline, &mut another).is_pending());
        poll_fn(|context| alarm.poll(deadline, context)).await;
        assert!(Instant::now() >= deadline);
    }

    #[tokio::test]
    async fn waits_in_a_row_leave_it_as_it_is() {
        let (start, mut alarm) = (Instant::now(), Alarm::default());
        for wait in 600..610 {
            assert!(is_pending(&mut alarm, start + Duration::from_secs(wait)).await);
        }
        assert_eq!(alarm.deadline(), Some(start + Duration::from_secs(600)));
    }
}
