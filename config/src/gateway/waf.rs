//! What `{ use = "waf" }` means.

use std::path::PathBuf;

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
    /// Rules in SecLang.
    pub rules: Vec<WafRules>,
    /// Their paranoia level; none is what they say.
    pub paranoia: Option<u8>,
    /// The anomaly score from which they refuse; none is what they say.
    pub threshold: Option<u32>,
    /// Where rules do not apply.
    pub exclude: Vec<WafExclusion>,
}

/// Where rules in SecLang come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum WafRules {
    /// The gateway's own.
    Builtin,
    /// A file, or the files of a folder.
    Path(PathBuf),
}

/// A rule that does not apply somewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WafExclusion {
    /// The rule.
    pub rule: WafRule,
    /// The number of a rule in SecLang; none is all of them.
    pub id: Option<u32>,
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
