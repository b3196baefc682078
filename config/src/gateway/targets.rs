//! What the stages mean that size, name and redirect requests.

use serde::Serialize;

use super::ValueTemplate;
use crate::file::{AcceptIds, GenerateIds};
use crate::units::ByteSize;

/// `{ use = "request-size", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestSizeConfig {
    /// The longest body.
    pub body_bytes: Option<ByteSize>,
    /// The longest header section, names and values.
    pub header_bytes: Option<ByteSize>,
    /// The longest query.
    pub query_bytes: Option<ByteSize>,
    /// A body has to say how long it is.
    pub length_required: bool,
}

/// `{ use = "rewrite", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RewriteConfig {
    /// What becomes of the path.
    pub path: PathEdit,
    /// What becomes of the query.
    pub query: QueryEdits,
}

impl RewriteConfig {
    /// Names of the path's parameters that its values have in them.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let path = match &self.path {
            PathEdit::Template(template) => Some(template),
            PathEdit::Prefix { .. } => None,
        };
        path.into_iter()
            .chain(self.values())
            .flat_map(ValueTemplate::parameters)
    }

    /// Its values of query parameters.
    pub fn values(&self) -> impl Iterator<Item = &ValueTemplate> {
        self.query.set.iter().chain(&self.query.append).map(|(_, value)| value)
    }
}

/// What becomes of a path. Prefixes are whole segments in normal form, `/a/b` or empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum PathEdit {
    /// Another one.
    Template(ValueTemplate),
    /// The first taken off, and the second put before it.
    Prefix {
        /// Taken off where it is there.
        strip: String,
        /// Put before the rest.
        add: String,
    },
}

/// Changes of a query's parameters, in this order. Names and values are not encoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueryEdits {
    /// Parameters that are taken away.
    pub remove: Vec<String>,
    /// Parameters that get another name: from, to.
    pub rename: Vec<(String, String)>,
    /// Parameters that get this value and no other, or go where it has none.
    pub set: Vec<(String, ValueTemplate)>,
    /// Parameters that get this value too.
    pub append: Vec<(String, ValueTemplate)>,
}

impl QueryEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.rename.is_empty() && self.set.is_empty() && self.append.is_empty()
    }
}

/// `{ use = "redirect", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedirectConfig {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// TLS or not; none: as the request.
    pub secure: Option<bool>,
    /// Host and perhaps port, in lower case; none: the request's.
    pub authority: Option<String>,
    /// Path; none: the request's.
    pub path: Option<ValueTemplate>,
    /// The request's query goes along.
    pub keep_query: bool,
}

/// `{ use = "correlation-id", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrelationIdConfig {
    /// The header field, in lower case.
    pub header: String,
    /// Whose ids are taken over.
    pub accept: AcceptIds,
    /// How others are made.
    pub generate: GenerateIds,
    /// The response has it too.
    pub echo: bool,
}
