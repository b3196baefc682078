//! What `{ use = "body" }` means.

use serde::Serialize;
use serde_json::Value;

use crate::place::FileReference;
use crate::units::ByteSize;

/// `{ use = "body", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BodyConfig {
    /// The request's new body.
    pub request: Option<BodyTemplate>,
    /// The response's.
    pub response: Option<BodyTemplate>,
    /// Statuses of the responses that get one.
    pub statuses: Vec<StatusPattern>,
    /// Values for templates.
    pub variables: Value,
    /// The longest body that is read.
    pub body_bytes: ByteSize,
    /// The longest that is made.
    pub output_bytes: ByteSize,
}

/// A template of a body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BodyTemplate {
    /// Where it is.
    pub source: TemplateSource,
    /// The content type of what it makes.
    pub content_type: String,
}

/// Where a template is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum TemplateSource {
    /// In the configuration.
    Inline(String),
    /// In this file.
    File(FileReference),
}

/// Statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StatusPattern {
    /// This one.
    Exact(u16),
    /// All that begin with this digit.
    Class(u16),
}

impl StatusPattern {
    /// Whether a status is one of these.
    #[must_use]
    pub const fn matches(self, status: u16) -> bool {
        match self {
            Self::Exact(exact) => exact == status,
            Self::Class(class) => class == status / 100,
        }
    }
}
