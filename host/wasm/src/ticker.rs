//! The clock that interrupts guests: a thread that advances the engines' epochs every millisecond while guests run,
//! and sleeps without waking the machine while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use gatewright_core::PerWorker;

/// How long a guest computes before it lets others run; the unit of processor time limits.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call after which the thread goes to sleep.
const QUIET_TICKS: u32 = 100;
/// How often idle instances are looked at, while there are any.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Advances the epochs.
pub(crate) type Advance = Box<dyn Fn() + Send>;

/// Drops what has been idle for too long, and says whether something idle is left.
pub(crate) type Sweep = Box<dyn Fn() -> bool + Send>;

/// Handle of the thread, which ends when this is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    calls: PerWorker<Calls>,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// Calls of one worker; running are those that began and did not end.
struct Calls {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A call that is running. While one is, the epoch advances.
pub(crate) struct Running<'a>(&'a Calls);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(advance: Advance, workers: usize, sweep: Sweep) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            calls: PerWorker::new(workers, |_| Calls {
                begun: AtomicU64::new(0),
                ended: AtomicU64::new(0),
            }),
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let clock = Clock {
            shared: Arc::clone(&shared),
            advance,
            sweep,
        };
        let thread = thread::Builder::new()
            .name("gatewright-ticks".to_owned())
            .spawn(move || clock.run())?;
        Ok(Self {
            shared,
            thread: thread.thread().clone(),
        })
    }

    /// Says that a guest is about to run.
    pub(crate) fn running(&self) -> Running<'_> {
        let calls = self.shared.calls.local();
        // Sequentially consistent against the thread, which says that it sleeps and only then looks for calls: one
        // of the two sees the other.
        calls.begun.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(calls)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

struct Clock {
    shared: Arc<Shared>,
    advance: Advance,
    sweep: Sweep,
}

impl Clock {
    fn run(&self) {
        while !self.shared.stopped.load(Ordering::SeqCst) {
            self.tick_while_calls_run();
            self.sleep();
        }
    }

    fn tick_while_calls_run(&self) {
        let mut seen = self.begun();
        let mut quiet = 0;
        let mut until_sweep = SWEEP_EVERY;
        while quiet < QUIET_TICKS && !self.shared.stopped.load(Ordering::Relaxed) {
            thread::sleep(TICK);
            (self.advance)();
            let begun = self.begun();
            quiet = if begun != seen || begun != self.ended() {
                0
            } else {
                quiet + 1
            };
            seen = begun;
            until_sweep = until_sweep.saturating_sub(TICK);
            if until_sweep.is_zero() {
                (self.sweep)();
                until_sweep = SWEEP_EVERY;
            }
        }
    }

    /// Waits for a call, for good if nothing idle is left to be swept.
    fn sleep(&self) {
        let seen = self.begun();
        self.shared.asleep.store(true, Ordering::SeqCst);
        while self.begun() == seen && seen == self.ended() && !self.shared.stopped.load(Ordering::SeqCst) {
            if (self.sweep)() {
                thread::park_timeout(SWEEP_EVERY);
            } else {
                thread::park();
            }
        }
        self.shared.asleep.store(false, Ordering::SeqCst);
    }

    fn begun(&self) -> u64 {
        self.shared
            .calls
            .iter()
            .map(|calls| calls.begun.load(Ordering::SeqCst))
            .sum()
    }

    fn ended(&self) -> u64 {
        self.shared
            .calls
            .iter()
            .map(|calls| calls.ended.load(Ordering::SeqCst))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn ticker() -> Ticker {
        Ticker::start(Box::new(|| {}), 1, Box::new(|| false)).unwrap()
    }

    fn asleep(ticker: &Ticker) -> bool {
        let patience = Instant::now() + Duration::from_secs(10);
        while !ticker.shared.asleep.load(Ordering::SeqCst) && Instant::now() < patience {
            thread::sleep(TICK);
        }
        ticker.shared.asleep.load(Ordering::SeqCst)
    }

    #[test]
    fn the_thread_sleeps_when_no_guest_runs() {
        let ticker = ticker();
        assert!(asleep(&ticker));
    }

    #[test]
    fn a_call_wakes_the_thread_and_a_long_one_keeps_it_awake() {
        let ticker = ticker();
        assert!(asleep(&ticker));
        let running = ticker.running();
        thread::sleep(TICK * QUIET_TICKS * 3);
        assert!(!ticker.shared.asleep.load(Ordering::SeqCst));
        drop(running);
        assert!(asleep(&ticker));
    }
}
