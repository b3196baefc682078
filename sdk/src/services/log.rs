//! Lines in the gateway's log, with the plugin's name and the exchange beside them.
//!
//! ```
//! use gatewright_sdk::log;
//! log::warn("token is about to expire", &[("seconds", "30")]);
//! # assert_eq!(gatewright_sdk::testing::host::logs()[0].message, "token is about to expire");
//! ```

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the operator.
    Info,
    /// Something is odd.
    Warn,
    /// Something is broken.
    Error,
}

/// Whether anybody reads lines of this level. Ask before formatting something long.
pub fn enabled(level: Level) -> bool {
    host::log_enabled(level)
}

/// Writes a line. Beyond the plugin's budget of lines and bytes per call, lines are dropped and counted.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    host::log_write(level, message, fields);
}

/// Writes a line for the plugin's author.
pub fn debug(message: &str, fields: &[(&str, &str)]) {
    write(Level::Debug, message, fields);
}

/// Writes a line for the operator.
pub fn info(message: &str, fields: &[(&str, &str)]) {
    write(Level::Info, message, fields);
}

/// Writes that something is odd.
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    write(Level::Warn, message, fields);
}

/// Writes that something is broken.
pub fn error(message: &str, fields: &[(&str, &str)]) {
    write(Level::Error, message, fields);
}
