//! What a plugin is used as.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// What a plugin is used as: the interface that it exports beside `lifecycle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Decides whether a request may go on.
    Authorizer,
    /// Changes a request, or answers it.
    RequestTransform,
    /// Changes a response, or replaces it.
    ResponseTransform,
    /// Passes bodies on chunk by chunk, changed.
    BodyFilter,
    /// Answers in place of an upstream.
    Integration,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Authorizer,
        Self::RequestTransform,
        Self::ResponseTransform,
        Self::BodyFilter,
        Self::Integration,
    ];

    /// As the interface is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorizer => "authorizer",
            Self::RequestTransform => "request-transform",
            Self::ResponseTransform => "response-transform",
            Self::BodyFilter => "body-filter",
            Self::Integration => "integration",
        }
    }

    /// As the world of `wit/worlds.wit` is called.
    pub(crate) fn world(self) -> &'static str {
        match self {
            Self::Authorizer => "authorizer-plugin",
            Self::RequestTransform => "request-plugin",
            Self::ResponseTransform => "response-plugin",
            Self::BodyFilter => "body-filter-plugin",
            Self::Integration => "integration-plugin",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| Error::unknown("kind", text, &Self::ALL.map(Self::name)))
    }
}
