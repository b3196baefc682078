//! Values with their position in the file.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value and where it is; a default is nowhere (`0..0`).
#[derive(Clone, Debug, Default)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Self { value, span: 0..0 }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::deserialize(deserializer)?;
        Ok(Self {
            span: spanned.span(),
            value: spanned.into_inner(),
        })
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// A section, where it is, and whether all of it could be read.
#[derive(Clone, Debug)]
pub struct Section<T> {
    /// The section, without what was wrong in it.
    pub value: T,
    /// Its bytes in the file: the header, or the inline table.
    pub span: Range<usize>,
    /// Nothing in it was wrong. What looks wrong in a section that is not whole may be a consequence.
    pub whole: bool,
}

impl<T: Default> Section<T> {
    /// A section of which nothing could be read.
    pub fn unreadable(span: Range<usize>) -> Self {
        Self {
            value: T::default(),
            span,
            whole: false,
        }
    }
}

impl<T: Default> Default for Section<T> {
    fn default() -> Self {
        Self {
            value: T::default(),
            span: 0..0,
            whole: true,
        }
    }
}

/// The schema is that of the value: positions are no part of the language.
macro_rules! schema_of_value {
    ($type:ident) => {
        impl<T: JsonSchema> JsonSchema for $type<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}

schema_of_value!(Located);
schema_of_value!(Section);
