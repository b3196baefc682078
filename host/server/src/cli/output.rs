//! What commands print, and how they end.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// What was given has a mistake: the configuration, a file, an argument.
pub(super) const MISTAKE: u8 = 2;

/// Prints to standard output. A reader that has gone away is no error.
pub(super) fn print(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// Prints a secret to standard error, so that it does not get into a file with what standard output has for it.
pub(super) fn reveal(what: &str, secret: &str) {
    let _ = writeln!(std::io::stderr(), "the {what}, shown this once: {secret}");
}

/// Prints a warning to standard error.
pub(super) fn warning(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

/// Prints to standard error what may help with what comes next.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Prints an error to standard error, and gives the exit code of a mistake.
pub(super) fn mistake(error: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::from(MISTAKE)
}

/// Prints an error to standard error, and gives the exit code of anything that went wrong.
pub(super) fn failure(error: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::FAILURE
}
