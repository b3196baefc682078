//! The ways a hook can fail without being wrong about the request.

use std::fmt;

/// Why a plugin could not answer. The route's `on_fault` decides what the client sees; the text goes to the log
/// only, as a lowercase fragment. "No" is not a fault: an authorizer denies, a transform responds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something the plugin depends on does not answer; trying again may help.
    Unavailable(String),
    /// The configuration cannot work, though `configure` accepted it.
    Misconfigured(String),
    /// The request cannot be processed, and the plugin does not want to answer it itself.
    BadInput(String),
    /// A bug or a broken invariant of the plugin.
    Internal(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text) = match self {
            Self::Unavailable(text) => ("unavailable", text),
            Self::Misconfigured(text) => ("misconfigured", text),
            Self::BadInput(text) => ("bad input", text),
            Self::Internal(text) => ("internal", text),
        };
        write!(f, "{kind}: {text}")
    }
}

impl std::error::Error for Fault {}
