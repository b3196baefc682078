//! Runs a guest's future within its wall time, and catches what must not get out of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Why a future was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Its time was over.
    Late,
    /// It panicked: a defect of the gateway, not of the guest. What the panic said.
    Panicked(String),
}

/// Processor time of a future: the time that its polls take. Whoever polls says when one begins and when one ends
/// without an answer; a future that is ready at once costs no look at the clock but those around it.
#[derive(Debug, Default)]
pub(crate) struct Processor {
    /// Since when it is being polled.
    since: Option<Instant>,
    before: Duration,
}

impl Processor {
    /// It is polled from `now` on.
    pub(crate) fn starts(&mut self, now: Instant) {
        self.since = Some(now);
    }

    fn resumes(&mut self) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    fn rests(&mut self) {
        if self.since.is_some() {
            self.before = self.ended(Instant::now());
            self.since = None;
        }
    }

    /// What it took in all, if it is over `now`.
    pub(crate) fn ended(&self, now: Instant) -> Duration {
        let last = self.since.map(|since| now.saturating_duration_since(since));
        self.before + last.unwrap_or_default()
    }
}

/// Runs `future` for as long as it takes, and measures it. For who has its limits elsewhere.
pub(crate) async fn measured<F: Future>(future: F, processor: &mut Processor) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        processor.resumes();
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            processor.rests();
        }
        polled
    })
    .await
}

/// Polls `future` until it is ready, panics, or `deadline` passes; then the caller drops it, and with it the guest.
///
/// Most guests are ready at the first poll and never cost a timer. One that computes is woken by its next tick, so
/// the deadline is looked at between ticks.
///
/// By reference, because these futures are kilobytes large and each move copies them.
pub(crate) async fn limited<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Instant,
    processor: &mut Processor,
) -> Result<F::Output, Stopped> {
    let mut timer = pin!(None::<Sleep>);
    std::future::poll_fn(|context| {
        processor.resumes();
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => return Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(Stopped::Panicked(message(&*panic)))),
        }
        processor.rests();
        if timer.is_none() {
            timer.set(Some(tokio::time::sleep_until(deadline.into())));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(context).map(|()| Err(Stopped::Late)),
            None => Poll::Pending,
        }
    })
    .await
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_future_that_waits_too_long_is_given_up() {
        assert_eq!(
            limited(pin!(std::future::pending::<()>()), in_ms(5), &mut Processor::default()).await,
            Err(Stopped::Late)
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_future_that_yields_for_ever_is_given_up_and_lets_others_run() {
        let endless = async {
            loop {
                tokio::task::yield_now().await;
            }
        };
        let other = tokio::spawn(async { tokio::time::sleep(Duration::from_millis(1)).await });
        let given_up: Result<(), Stopped> = limited(pin!(endless), in_ms(20), &mut Processor::default()).await;
        assert_eq!(given_up, Err(Stopped::Late));
        assert!(other.is_finished());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn waiting_is_no_processor_time_and_computing_is() {
        let mut processor = Processor::default();
        let computes_between_waits = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let began = Instant::now();
        processor.starts(began);
        let done = limited(pin!(computes_between_waits), in_ms(60_000), &mut processor).await;
        assert_eq!(done, Ok(()));
        let (wall, cpu) = (began.elapsed(), processor.ended(Instant::now()));
        assert!(cpu >= Duration::from_millis(5), "{cpu:?}");
        assert!(cpu <= wall - Duration::from_millis(190), "{cpu:?} of {wall:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_ends_the_call_not_the_worker() {
        let panics = async { panic!("boom") };
        let stopped: Result<(), Stopped> = limited(pin!(panics), in_ms(1_000), &mut Processor::default()).await;
        assert_eq!(stopped, Err(Stopped::Panicked("boom".to_owned())));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn p28_a_panic_in_a_host_function_unwinds_through_the_guest_and_is_caught() {
        let text = r#"(component
            (import "boom" (func $boom))
            (core func $lowered (canon lower (func $boom)))
            (core module $m (import "" "boom" (func $boom)) (func (export "run") (call $boom)))
            (core instance $i (instantiate $m (with "" (instance (export "boom" (func $lowered))))))
            (func (export "run") (canon lift (core func $i "run"))))"#;
        let engine = crate::engine::start(4, crate::engine::Concurrency::Off).unwrap().engine;
        let component = wasmtime::component::Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut linker = wasmtime::component::Linker::<()>::new(&engine);
        linker
            .root()
            .func_wrap("boom", |_, ()| -> wasmtime::Result<()> {
                panic!("a defect of the host")
            })
            .unwrap();
        for _ in 0..8 {
            let call = async {
                let mut store = wasmtime::Store::new(&engine, ());
                store.set_epoch_deadline(1);
                let instance = linker.instantiate_async(&mut store, &component).await?;
                let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
                run.call_async(&mut store, ()).await
            };
            let stopped = limited(pin!(call), in_ms(1_000), &mut Processor::default()).await.err();
            assert_eq!(stopped, Some(Stopped::Panicked("a defect of the host".to_owned())));
        }
    }

    #[test]
    fn a_future_that_is_ready_needs_no_timer() {
        // Without a runtime, making a timer would panic.
        let ready = pin!(async { 1 });
        let mut processor = Processor::default();
        let mut call = pin!(limited(ready, Instant::now(), &mut processor));
        let ready = call
            .as_mut()
            .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert_eq!(ready, Poll::Ready(Ok(1)));
    }
}
