//! `gatewright run`

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::compile_plugin;
use super::output::{failure, mistake};
use crate::process::{Options, Running, StartError, start};

/// Serves what a configuration file says.
///
/// SIGTERM and SIGINT stop it: readiness turns false, connections are accepted for `server.drain_delay` more, and
/// exchanges in flight have `server.drain_timeout` to end. A second one stops it at once. SIGHUP loads the
/// configuration and the plugins anew, which also happens by itself when their files change.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration file.
    #[arg(default_value = "gatewright.toml")]
    config: PathBuf,
    /// Do not load anew by itself when files change.
    #[arg(long)]
    no_watch: bool,
    /// Which of the gateway's own messages are written to standard error: error, warn, info, debug, trace, or a filter
    /// such as `info,gatewright::upstream=debug`.
    #[arg(long, default_value = "info", env = "GATEWRIGHT_LOG")]
    log: String,
    /// How messages are written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// JSON lines.
    Json,
}

impl Run {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        let filter = match EnvFilter::try_new(&self.log) {
            Ok(filter) => filter,
            Err(error) => return mistake(format_args!("--log: {error}")),
        };
        let messages = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => messages.with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => messages.json().init(),
        }
        match start(Options {
            config: self.config,
            watch: !self.no_watch,
            compiler: compile_plugin::in_child(),
        }) {
            Ok(running) => serve(running),
            Err(StartError::System(error)) => failure(error),
            Err(error) => mistake(error),
        }
    }
}

/// Messages for people, as far as `filter` lets them through.
pub(super) fn log_messages(filter: &str) {
    let messages = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr);
    messages.with_ansi(std::io::stderr().is_terminal()).init();
}

/// Waits for a signal, and then for the end.
pub(super) fn serve(running: Running) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(format_args!("cannot wait for signals: {error}")),
    };
    let running = Arc::new(running);
    let stopped = runtime.block_on(async {
        // Before anybody is told that it runs: until then a signal ends the process at once.
        let mut signals = Signals::new()?;
        for (name, address) in &running.listeners {
            tracing::info!(listener = name, %address, "listening");
        }
        if let Some(address) = running.admin {
            tracing::info!(%address, "admin");
        }
        signals.wait_for_stop(&running).await;
        tracing::info!("stopping; a second signal stops at once");
        running.stop();
        // A second signal does not wait for anything.
        let (ended, end) = tokio::sync::oneshot::channel();
        let waiting = Arc::clone(&running);
        std::thread::spawn(move || {
            waiting.wait();
            let _ = ended.send(());
        });
        tokio::select! {
            _ = end => Ok(true),
            () = signals.wait_for_stop(&running) => Ok::<bool, std::io::Error>(false),
        }
    });
    match stopped {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => failure("stopped before everything had ended"),
        Err(error) => failure(format_args!("cannot wait for signals: {error}")),
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait_for_stop(&mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => running.reload_soon(),
            }
        }
    }
}
