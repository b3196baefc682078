//! `gatewright run`

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::compile_plugin;
use super::config_file::ConfigArgument;
use super::output::{failure, mistake};
use super::progress::{Lines, Progress};
use super::serving::Serving;
use crate::process::{Options, StartError};
use crate::repeats::Repeats;

/// Serves what a configuration file says.
///
/// SIGTERM, SIGINT and SIGQUIT stop it: readiness turns false, connections are accepted for `server.drain_delay` more, and
/// exchanges in flight have `server.drain_timeout` to end. A second one stops it at once. SIGHUP loads the
/// configuration and the plugins anew, which also happens by itself when their files change, and opens the access log
/// anew. SIGUSR1 opens the access log anew.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigArgument,
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
        let messages = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
        match self.log_format {
            LogFormat::Text => messages
                .with_ansi(std::io::stderr().is_terminal())
                .finish()
                .with(Repeats)
                .init(),
            LogFormat::Json => messages.json().finish().with(Repeats).init(),
        }
        let options = Options {
            config: self.config.path().to_owned(),
            watch: !self.no_watch,
            compiler: compile_plugin::in_child(Progress::logged()),
        };
        match Serving::start(options) {
            Ok(Some(serving)) => serving.serve(),
            Ok(None) => ExitCode::SUCCESS,
            Err(StartError::System(error)) => failure(error),
            Err(error) => mistake(error),
        }
    }
}

/// Messages for people, as far as `filter` lets them through.
pub(super) fn log_messages(filter: &str) {
    let messages = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(Lines);
    messages.with_ansi(std::io::stderr().is_terminal()).init();
}
