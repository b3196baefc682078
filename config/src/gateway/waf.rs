//! What `{ use = "waf" }` means.

use serde::Serialize;

use crate::file::{WafLarger, WafMode, WafRule};
use crate::units::ByteSize;

/// `{ use = "waf", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WafConfig {
    /// What is done about a finding.
    pub mode: WafMode,
    /// Header fields that are inspected, in lower case.
    pub headers: Vec<String>,
    /// How much of a body is inspected, as sent and as decoded; zero is none.
    pub body_bytes: ByteSize,
    /// What becomes of a longer one.
    pub larger: WafLarger,
    /// Parameters of query and body together.
    pub parameters: usize,
    /// The longest value of a parameter.
    pub value_bytes: ByteSize,
    /// How deep JSON and XML may be nested.
    pub depth: usize,
    /// Where rules do not apply.
    pub exclude: Vec<WafExclusion>,
}

/// A rule that does not apply somewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WafExclusion {
    /// The rule.
    pub rule: WafRule,
    /// Where it does not apply; empty is everywhere.
    pub at: Vec<WafPlace>,
    /// This path and those below it; none is all.
    pub path: Option<String>,
}

/// Where a value of a request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WafPlace {
    /// Which part of it.
    pub part: WafPart,
    /// The name of the value there; none is all.
    pub name: Option<String>,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WafPart {
    /// The path.
    Path,
    /// Parameters of the query.
    Query,
    /// Cookies.
    Cookie,
    /// Other header fields.
    Header,
    /// Values of the body.
    Body,
}

impl WafPart {
    /// As the configuration and the access log write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Cookie => "cookie",
            Self::Header => "header",
            Self::Body => "body",
        }
    }
}
