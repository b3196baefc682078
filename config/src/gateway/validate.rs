//! What `{ use = "validate" }` means.

use serde::Serialize;
use serde_json::Value;

use super::TypePattern;
use crate::place::FileReference;
use crate::units::ByteSize;

/// `{ use = "validate", … }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidateConfig {
    /// The body's schema; none: it is not validated.
    pub schema: Option<SchemaSource>,
    /// The body may be left out.
    pub optional: bool,
    /// The longest body that is validated.
    pub body_bytes: ByteSize,
    /// How deep it may be nested.
    pub depth: usize,
    /// Content types that a body may have; empty is all.
    pub types: Vec<TypePattern>,
    /// Parameters of the path by name.
    pub path: Vec<(String, ParameterRule)>,
    /// Parameters of the query by name.
    pub query: Vec<(String, ParameterRule)>,
    /// Header fields by name in lower case.
    pub headers: Vec<(String, ParameterRule)>,
}

/// Where a schema is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum SchemaSource {
    /// In the configuration.
    Inline(Value),
    /// In this file.
    File(FileReference),
}

/// What a parameter has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterRule {
    /// It has to be there.
    pub required: bool,
    /// The schema of its value.
    pub schema: Value,
}
