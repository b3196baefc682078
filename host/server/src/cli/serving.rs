//! A gateway as a process: from the first signal that it understands to its exit code.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::output::failure;
use super::signals::{Meaning, Signals};
use crate::process::{Options, Running, StartError, start};

/// A gateway that runs, and the signals to it.
pub(super) struct Serving {
    runtime: Runtime,
    signals: Signals,
    running: Arc<Running>,
}

impl Serving {
    /// Starts it. None when a signal has asked for its end before it has started.
    ///
    /// # Errors
    /// Why it does not start.
    pub(super) fn start(options: Options) -> Result<Option<Self>, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // Before anything else: until then a signal ends the process at once.
        let mut signals = runtime.block_on(async { Signals::new() })?;
        let (sender, mut started) = oneshot::channel();
        // Plugins may take minutes to compile.
        std::thread::Builder::new().name("start".to_owned()).spawn(move || {
            let _ = sender.send(start(options));
        })?;
        let mut reload = false;
        let running = runtime.block_on(async {
            loop {
                let (name, meaning) = tokio::select! {
                    started = &mut started => return Some(started),
                    signal = signals.next() => signal,
                };
                match meaning {
                    Meaning::Stop => {
                        tracing::info!("{name}: stopping before the gateway has started");
                        return None;
                    }
                    // What it reads may be the old or the new.
                    Meaning::Reload => reload = true,
                    // They have just been opened.
                    Meaning::ReopenLogs => {}
                    Meaning::HandOver | Meaning::Nothing => refuse(name, meaning),
                }
            }
        });
        let Some(running) = running else { return Ok(None) };
        let gone = |_| std::io::Error::other("the thread that starts the gateway ended");
        let running = running.map_err(gone)??;
        if reload {
            running.reload_soon();
        }
        if let Some(address) = running.admin {
            tracing::info!(%address, "admin");
        }
        Ok(Some(Self {
            runtime,
            signals,
            running: Arc::new(running),
        }))
    }

    /// Waits for a signal that ends it, and then for the end.
    pub(super) fn serve(self) -> ExitCode {
        let Self {
            runtime,
            mut signals,
            running,
        } = self;
        let drained = runtime.block_on(async {
            until_stopped(&mut signals, &running).await;
            tracing::info!("stopping; a second signal stops at once");
            running.stop();
            let (ended, end) = oneshot::channel();
            let waiting = Arc::clone(&running);
            std::thread::spawn(move || {
                waiting.wait();
                let _ = ended.send(());
            });
            tokio::select! {
                _ = end => true,
                () = until_stopped(&mut signals, &running) => false,
            }
        });
        match drained {
            true => ExitCode::SUCCESS,
            false => failure("stopped before everything had ended"),
        }
    }
}

/// Does what signals ask for, until one asks for the end.
async fn until_stopped(signals: &mut Signals, running: &Running) {
    loop {
        let (name, meaning) = signals.next().await;
        match meaning {
            Meaning::Stop => {
                tracing::info!("{name}");
                return;
            }
            Meaning::Reload => {
                tracing::info!("{name}: opening log files and loading the configuration anew");
                running.reopen_logs();
                running.reload_soon();
            }
            Meaning::ReopenLogs => {
                tracing::info!("{name}: opening log files anew");
                running.reopen_logs();
            }
            Meaning::HandOver | Meaning::Nothing => refuse(name, meaning),
        }
    }
}

fn refuse(name: &str, meaning: Meaning) {
    match meaning {
        Meaning::HandOver => tracing::warn!(
            "{name} is refused: this version cannot hand its connections over to another process; nothing was done"
        ),
        _ => tracing::warn!("{name} has no meaning to the gateway; nothing was done"),
    }
}
